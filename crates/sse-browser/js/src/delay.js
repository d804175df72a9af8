// The delay before the next attempt.

import { LONGEST, SHORTEST } from "./limits.js";

/**
 * The data for a delay; times are in milliseconds.
 *
 * @typedef {object} Wait
 * @property {number} failures Number of failures in a row, including this one.
 * @property {number} interval The delay after the first failure.
 * @property {number} [retry] The server's `retry:`.
 * @property {number} [retryAfter] The server's `Retry-After`.
 * @property {import("./types.js").SSEBackoff} [backoff]
 * @property {() => number} random
 */

/**
 * Returns the delay in milliseconds, from `SHORTEST` to `LONGEST` and a quarter.
 *
 * A delay that the server asks for is only shortened to `LONGEST`, because the server may have
 * spread its clients over that time. Up to a quarter is added, because the server may have sent all
 * clients the same value. `Retry-After` applies to its one response, and `retry:` to the first
 * attempt after a stream. For later attempts, `retry:` is the base of the exponential delays, which
 * the jitter can make shorter than `retry:`. A `Retry-After` of 0 asks for nothing.
 *
 * @param {Wait} wait
 */
export function delay({ failures, interval, retry, retryAfter, backoff = {}, random }) {
  const asked = retryAfter || (failures <= 1 ? retry : undefined);
  if (asked !== undefined) return Math.max(SHORTEST, Math.min(LONGEST, asked) * (1 + random() / 4));
  const { factor = 2, max = 30_000, jitter = "full" } = backoff;
  // A base of 0 would never grow.
  const base = Math.max(SHORTEST, retry ?? interval);
  // Offline there are endless failures, and powers of 1 with them are NaN.
  const growth = factor === 1 ? 1 : factor ** (Math.max(1, failures) - 1);
  const most = Math.min(LONGEST, Math.max(SHORTEST, max), base * growth);
  return Math.max(SHORTEST, jitter === "none" ? most : random() * most);
}
