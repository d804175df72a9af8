// Signed tokens created by `jose` and by `jsonwebtoken`, two implementations without common code.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import test from "node:test";
import * as jose from "jose";
import jsonwebtoken from "jsonwebtoken";
import { bearer, cookie, now, verifier } from "./verify.mjs";

const secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const claims = () => ({ sub: "ada", name: "Adä", exp: now() + 60, iss: "https://issuer.example", aud: ["sse", "other"] });
const asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"];
// The algorithms that npm's jsonwebtoken supports too.
const shared = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"];

/** @param {jose.CryptoKey | Uint8Array} key @param {string} alg */
const sign = (key, alg, payload = claims(), header = {}) =>
  new jose.SignJWT(payload).setProtectedHeader({ alg, ...header }).sign(key);

for (const alg of asymmetric) {
  test(`${alg} with a PEM and with a key set`, async (t) => {
    const verify = verifier(t);
    const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const pem = await jose.exportSPKI(publicKey);
    const jwks = { keys: [{ ...(await jose.exportJWK(publicKey)), kid: "k1", use: "sig", alg }] };
    const tokens = [await sign(privateKey, alg, claims(), { kid: "k1", typ: "JWT" })];
    if (shared.includes(alg)) {
      const key = await jose.exportPKCS8(privateKey);
      const algorithm = /** @type {any} */ (alg);
      tokens.push(jsonwebtoken.sign(claims(), key, { algorithm, keyid: "k1" }));
    }
    for (const token of tokens) {
      for (const jwt of [{ pem }, { jwks }]) {
        const who = await verify({ jwt, headers: bearer(token) });
        assert.deepEqual([who.user, who.credential, who.claims?.name], ["ada", "Bearer", "Adä"], who.error);
        const carried = await verify({ jwt: { ...jwt, cookie: "t" }, headers: cookie("t", token) });
        assert.deepEqual([carried.user, carried.credential], ["ada", "Cookie"]);
      }
    }
    const { privateKey: other } = await jose.generateKeyPair(alg);
    const forged = await sign(other, alg, claims(), { kid: "k1" });
    assert.equal((await verify({ jwt: { jwks }, headers: bearer(forged) })).error, "the signature does not match");
    const unknown = await sign(privateKey, alg, claims(), { kid: "k2" });
    assert.equal((await verify({ jwt: { jwks }, headers: bearer(unknown) })).error, "no key is known for this token");

    // The classic attack: an HMAC with the public key as its secret.
    const confused = await sign(new TextEncoder().encode(pem), "HS256", claims(), { kid: "k1" });
    for (const jwt of [{ pem }, { jwks }]) {
      const refused = await verify({ jwt, headers: bearer(confused) });
      assert.deepEqual(refused, { refusal: "invalid", error: 'the token\'s algorithm "HS256" is refused' });
    }
  });
}

for (const algorithm of /** @type {const} */ (["HS256", "HS384", "HS512"])) {
  test(`${algorithm} with a secret`, async (t) => {
    const verify = verifier(t);
    const ask = (token, jwt = {}) => verify({ jwt: { secret: [algorithm, secret], ...jwt }, headers: bearer(token) });
    const tokens = [
      await sign(new TextEncoder().encode(secret), algorithm),
      jsonwebtoken.sign(claims(), secret, { algorithm }),
    ];
    for (const token of tokens) assert.equal((await ask(token)).user, "ada");
    const other = algorithm === "HS256" ? "HS512" : "HS256";
    const elsewhere = jsonwebtoken.sign(claims(), secret, { algorithm: other });
    assert.equal((await ask(elsewhere)).error, `the token's algorithm "${other}" is refused`);
    const unsigned = jsonwebtoken.sign(claims(), "", { algorithm: "none" });
    assert.equal((await ask(unsigned)).error, 'the token\'s algorithm "none" is refused');
  });
}

test("issuer, audience, times and types", async (t) => {
  const verify = verifier(t);
  const key = new TextEncoder().encode(secret);
  const ask = async (changes, jwt = {}, header = {}) => {
    const token = await sign(key, "HS256", { ...claims(), ...changes }, header);
    return verify({ jwt: { secret: ["HS256", secret], ...jwt }, headers: bearer(token) });
  };
  const parties = { issuer: "https://issuer.example", audience: "sse" };
  assert.equal((await ask({}, parties)).user, "ada");
  assert.equal((await ask({ aud: "sse" }, parties)).user, "ada");
  assert.equal((await ask({ iss: "https://issuer.example/" }, parties)).error, "the claim `iss` has a value that is not accepted");
  assert.equal((await ask({ aud: "ssee" }, parties)).error, "the claim `aud` has a value that is not accepted");
  assert.equal((await ask({ aud: undefined }, parties)).error, "the claim `aud` is missing");
  assert.equal((await ask({ exp: undefined })).error, "the claim `exp` is missing");
  assert.equal((await ask({ exp: now() - 2 })).user, "ada");
  assert.equal((await ask({ exp: now() - 60 })).refusal, "expired");
  assert.match((await ask({ nbf: now() + 60 })).error, /^the credentials are not valid before/);
  assert.equal((await ask({}, {}, { typ: "at+jwt" })).user, "ada");
  assert.equal((await ask({}, {}, { typ: "logout+jwt" })).error, "the header parameter `typ` is refused");
});

test("a key set on the web, whose keys change", async (t) => {
  const verify = verifier(t);
  const pairs = await Promise.all([1, 2].map(() => jose.generateKeyPair("ES256")));
  const jwk = async (n) => ({ ...(await jose.exportJWK(pairs[n].publicKey)), kid: `k${n}` });
  const keys = [await jwk(0)];
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const jwt = { jwksUrl: `http://127.0.0.1:${port}/jwks` };
  const token = await sign(pairs[0].privateKey, "ES256", claims(), { kid: "k0" });
  assert.equal((await verify({ jwt, headers: bearer(token) })).user, "ada");
  keys.push(await jwk(1));
  const next = await sign(pairs[1].privateKey, "ES256", claims(), { kid: "k1" });
  assert.equal((await verify({ jwt, headers: bearer(next) })).user, "ada");
  assert.equal(asked, 2);
});
