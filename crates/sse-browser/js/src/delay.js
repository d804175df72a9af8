// The delay before the next attempt.

/** Minimum delay, also if the server or the app asks for less. */
export const SHORTEST = 100;
/** Maximum delay that a server can ask for. */
export const LONGEST = 3_600_000;

/**
 * @typedef {object} Wait
 * @property {number} failures Number of failures in a row, including this one.
 * @property {number} interval The delay after the first failure.
 * @property {number} [retry] The server's `retry:`.
 * @property {number} [retryAfter] The server's `Retry-After`.
 * @property {import("./types.js").SSEBackoff} [backoff]
 * @property {() => number} random
 */

/**
 * Returns the delay in milliseconds.
 *
 * The delay is never shorter than the server asks for, because the server may have spread its
 * clients over that time. Up to a quarter is added, because the server may have sent all clients
 * the same value. `Retry-After` applies to its one response. `retry:` applies to the first attempt
 * after a stream, and is the base of the exponential delays of later attempts.
 *
 * @param {Wait} wait
 */
export function delay({ failures, interval, retry, retryAfter, backoff = {}, random }) {
  const asked = retryAfter ?? (failures <= 1 ? retry : undefined);
  if (asked !== undefined) return Math.max(SHORTEST, Math.min(LONGEST, asked) * (1 + random() / 4));
  const { factor = 2, max = 30_000, jitter = "full" } = backoff;
  const base = Math.min(LONGEST, retry ?? interval);
  const most = Math.min(Math.max(max, SHORTEST), base * factor ** Math.max(0, failures - 1));
  return Math.max(SHORTEST, jitter === "none" ? most : random() * most);
}
