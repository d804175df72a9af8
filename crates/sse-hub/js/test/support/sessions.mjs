// Sessions of sites. The code of NextAuth v4 and Auth.js v5 creates them, names their cookies, and
// splits them into chunks.

import { encode as encodeV5 } from "@auth/core/jwt";
import v4 from "next-auth/jwt";

/** Secret that the site and the hub share. */
export const SECRET = "a secret of the site, 0123456789";

// Neither package exports these modules, which name and split the cookies of every site.
const libraries = {
  v4: await import(new URL("../../node_modules/next-auth/core/lib/cookie.js", import.meta.url).href),
  v5: await import(new URL("../../node_modules/@auth/core/lib/utils/cookie.js", import.meta.url).href),
};

/**
 * Returns the cookies that a sign-in sets.
 *
 * @param {"v4" | "v5"} version
 * @param {{ sub: string, note?: string }} token
 * @param {{ maxAge?: number, secure?: boolean, sameSite?: string }} [choices] `maxAge` in seconds
 * @returns {Promise<import("./site.mjs").SessionCookie[]>}
 */
export async function signIn(version, token, { maxAge = 600, secure = false, ...options } = {}) {
  const { SessionStore, defaultCookies } = libraries[version];
  const session = defaultCookies(secure).sessionToken;
  const value =
    version === "v4"
      ? await v4.encode({ token, secret: SECRET, maxAge })
      : await encodeV5({ token, secret: SECRET, maxAge, salt: session.name });
  const none = version === "v4" ? { cookies: {}, headers: {} } : {};
  return new SessionStore(session, none, { debug() {} }).chunk(value, { maxAge, ...options });
}
