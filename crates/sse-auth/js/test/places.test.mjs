// Requests with several sessions: the results of the libraries, which choose by position, and the
// result of the crate, which does not.

import assert from "node:assert/strict";
import test from "node:test";
import { encode as encodeV5, getToken as getTokenV5 } from "@auth/core/jwt";
import v4 from "next-auth/jwt";
import { cookie, verifier } from "./verify.mjs";

const secret = "a secret of the site, 0123456789";
const names = { v4: "next-auth.session-token", v5: "authjs.session-token" };

const session = (version, sub, maxAge = 600) =>
  version === "v4"
    ? v4.encode({ token: { sub }, secret, maxAge })
    : encodeV5({ token: { sub }, secret, maxAge, salt: names.v5 });

const pairs = (header) => header.split("; ").map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]);

/**
 * The results of the libraries for a header: v4 with the Pages Router (npm's `cookie`: the first
 * value) and with the App Router (a map: the last value); v5 itself.
 */
const libraries = {
  v4: {
    pages: (header) => v4.getToken({ req: { headers: {}, cookies: Object.fromEntries(pairs(header).toReversed()) }, secret }),
    app: (header) => v4.getToken({ req: { headers: {}, cookies: new Map(pairs(header)) }, secret }),
  },
  v5: { core: (header) => getTokenV5({ req: { headers: new Headers({ cookie: header }) }, secret }) },
};

for (const version of /** @type {const} */ (["v4", "v5"])) {
  test(`several sessions of ${version} in one request`, async (t) => {
    const verify = verifier(t);
    const [ada, renewed, bob] = [await session(version, "ada"), await session(version, "ada", 900), await session(version, "bob")];
    const [stale, name] = [await session(version, "eve", -600), names[version]];
    for (const [first, second, expected] of [
      [ada, renewed, "ada"],
      [ada, stale, "ada"],
      [ada, "garbage.x", "ada"],
      [ada, bob, "credentials of different users are presented together"],
    ]) {
      for (const values of [[first, second], [second, first]]) {
        const header = values.map((value) => `${name}=${value}`).join("; ");
        const who = await verify({ nextauth: { secrets: [secret] }, headers: [["cookie", header]] });
        assert.equal(who.user ?? who.error, expected);
        // The same cookies in a header that HTTP/2 has split.
        const split = await verify({ nextauth: { secrets: [secret] }, headers: values.flatMap((value) => cookie(name, value)) });
        assert.deepEqual(split, who);
        for (const [way, library] of Object.entries(libraries[version])) {
          const sub = (await library(header))?.sub ?? null;
          // A library that recognises a user recognises the same user, unless the position decided
          // between two.
          if (expected === "ada") assert.ok(sub === null || sub === "ada", `${way}: ${sub}`);
        }
      }
    }
  });
}

test("of two sessions the libraries choose by place, each in its way", async () => {
  const header = async (version) =>
    `${names[version]}=${await session(version, "first")}; ${names[version]}=${await session(version, "last")}`;
  assert.equal((await libraries.v4.pages(await header("v4")))?.sub, "first");
  assert.equal((await libraries.v4.app(await header("v4")))?.sub, "last");
  assert.equal((await libraries.v5.core(await header("v5")))?.sub, "first");
});
