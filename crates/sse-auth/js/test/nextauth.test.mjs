// Sessions created by NextAuth v4 and Auth.js v5 themselves.

import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import test from "node:test";
import { decode as decodeV5, encode as encodeV5 } from "@auth/core/jwt";
import { calculateJwkThumbprint } from "jose";
import jose from "node-jose";
import v4 from "next-auth/jwt";
import { bearer, cookie, now, verifier } from "./verify.mjs";

// This class is not exported, but splits the cookies of every site.
const { SessionStore } = await import(new URL("../node_modules/next-auth/core/lib/cookie.js", import.meta.url).href);

const secret = "a secret of the site, 0123456789";
const token = { name: "Ada Lövelace 😀", email: "ada@example.com", sub: "user_1", roles: ["admin", null, 1.5] };
const V4 = "next-auth.session-token";
const V5 = "authjs.session-token";

test("a session of NextAuth v4", async (t) => {
  const verify = verifier(t);
  const session = await v4.encode({ token, secret });
  for (const name of [V4, `__Secure-${V4}`, `__Host-${V4}`]) {
    const who = await verify({ nextauth: { secrets: [secret] }, headers: cookie(name, session) });
    assert.deepEqual([who.user, who.credential], ["user_1", "Cookie"]);
    assert.deepEqual(who.claims, await v4.decode({ token: session, secret }));
    assert.equal(who.expiresAt, who.claims.exp);
  }
  const who = await verify({ nextauth: { secrets: [secret] }, headers: bearer(encodeURIComponent(session)) });
  assert.deepEqual([who.user, who.credential], ["user_1", "Bearer"]);
  const stranger = await verify({ nextauth: { secrets: ["another secret of the same length"] }, headers: cookie(V4, session) });
  assert.equal(stranger.refusal, "invalid");
});

test("a session of Auth.js v5, under every name", async (t) => {
  const verify = verifier(t);
  for (const name of [V5, `__Secure-${V5}`, `__Host-${V5}`, "mine"]) {
    const session = await encodeV5({ token, secret, salt: name });
    const cookieNames = name === "mine" ? [name] : [];
    const who = await verify({ nextauth: { secrets: [secret], cookieNames }, headers: cookie(name, session) });
    assert.equal(who.user, "user_1");
    assert.deepEqual(who.claims, await decodeV5({ token: session, secret, salt: name }));
    const carried = await verify({ nextauth: { secrets: [secret], cookieNames }, headers: bearer(session) });
    assert.deepEqual([carried.user, carried.credential], ["user_1", "Bearer"]);
    // The name is the salt: under another name, the cookie is not a valid session.
    const other = await verify({ nextauth: { secrets: [secret], cookieNames: ["other"] }, headers: cookie("other", session) });
    assert.deepEqual(other, { refusal: "invalid", error: "no key is known for this token" });
  }
});

test("a custom salt of v4 is not ours to know", async (t) => {
  const session = await v4.encode({ token, secret, salt: "pepper" });
  const who = await verifier(t)({ nextauth: { secrets: [secret] }, headers: cookie(V4, session) });
  assert.equal(who.refusal, "invalid");
});

test("secrets are rotated", async (t) => {
  const verify = verifier(t);
  const renewed = "the new secret of the site";
  const rotated = [renewed, secret];
  const [v4Old, v5Old] = [await v4.encode({ token, secret }), await encodeV5({ token, secret, salt: V5 })];
  const v5New = await encodeV5({ token, secret: rotated, salt: V5 });
  for (const headers of [cookie(V4, v4Old), cookie(V5, v5Old), cookie(V5, v5New)]) {
    assert.equal((await verify({ nextauth: { secrets: rotated }, headers })).user, "user_1");
  }
  const gone = await verify({ nextauth: { secrets: [renewed] }, headers: cookie(V5, v5Old) });
  assert.deepEqual(gone, { refusal: "invalid", error: "no key is known for this token" });
});

test("large sessions are spread over cookies, as next-auth spreads them", async (t) => {
  const verify = verifier(t);
  const large = { ...token, note: "ü".repeat(5000) };
  const session = await v4.encode({ token: large, secret });
  const store = new SessionStore({ name: V4, options: {} }, { cookies: {}, headers: {} }, console);
  const chunks = store.chunk(session, {}).map(({ name, value }) => `${name}=${value}`);
  assert.ok(chunks.length > 2, String(chunks.length));
  for (const pieces of [chunks, chunks.toReversed(), ["a=b", `${V4}=stale`, ...chunks]]) {
    const who = await verify({ nextauth: { secrets: [secret] }, headers: [["cookie", pieces.join("; ")]] });
    assert.equal(who.claims?.note, large.note, who.error);
  }
  const missing = await verify({ nextauth: { secrets: [secret] }, headers: [["cookie", chunks.slice(1).join("; ")]] });
  assert.deepEqual(missing, { refusal: "invalid", error: "chunk 0 of the session cookie is missing" });
});

test("sessions end", async (t) => {
  const verify = verifier(t);
  for (const [name, session] of [
    [V4, await v4.encode({ token, secret, maxAge: -60 })],
    [V5, await encodeV5({ token, secret, salt: V5, maxAge: -60 })],
  ]) {
    assert.equal((await verify({ nextauth: { secrets: [secret] }, headers: cookie(name, session) })).refusal, "expired");
  }
});

// A second implementation, which shares no code with that of NextAuth.
for (const [enc, length, hash] of /** @type {const} */ ([["A256CBC-HS512", 64, "sha512"], ["A256GCM", 32, "sha256"]])) {
  test(`a session of v5 made by node-jose, with ${enc}`, async (t) => {
    const verify = verifier(t);
    const info = `Auth.js Generated Encryption Key (${V5})`;
    const k = Buffer.from(hkdfSync("sha256", secret, V5, info, length)).toString("base64url");
    const kid = await calculateJwkThumbprint({ kty: "oct", k }, hash);
    const key = await jose.JWK.asKey({ kty: "oct", k, kid, use: "enc" });
    const seal = (fields, claims) =>
      jose.JWE.createEncrypt({ format: "compact", contentAlg: enc, fields: { alg: "dir", ...fields } }, key)
        .update(Buffer.from(JSON.stringify(claims)))
        .final();
    const claims = { ...token, exp: now() + 60 };
    const session = await seal({}, claims);
    assert.equal((await verify({ nextauth: { secrets: [secret] }, headers: cookie(V5, session) })).user, "user_1");
    assert.deepEqual((await decodeV5({ token: session, secret, salt: V5 }))?.sub, "user_1");

    const zipped = await seal({ zip: "DEF" }, claims);
    assert.deepEqual(await verify({ nextauth: { secrets: [secret] }, headers: cookie(V5, zipped) }), {
      refusal: "invalid",
      error: "the header parameter `zip` is refused",
    });
    const future = await seal({}, { ...claims, nbf: now() + 60 });
    assert.match((await verify({ nextauth: { secrets: [secret] }, headers: cookie(V5, future) })).error, /^the credentials are not valid before/);
    for (const [exp, error] of [
      ["1", "the claim `exp` has the wrong type"],
      [Date.now(), "the claim `exp` is not a time in seconds"],
      [-1, "the credentials expired at 0 (Unix seconds)"],
    ]) {
      const odd = await seal({}, { ...claims, exp });
      assert.equal((await verify({ nextauth: { secrets: [secret] }, headers: cookie(V5, odd) })).error, error);
    }
  });
}
