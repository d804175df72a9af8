// How long to wait before the next attempt.

/** The shortest delay, whoever asks for less. */
export const SHORTEST = 100;
/** The longest delay that a server can ask for. */
export const LONGEST = 3_600_000;

/**
 * @typedef {object} Wait
 * @property {number} failures In a row, this one included.
 * @property {number} interval The delay after the first failure.
 * @property {number} [retry] What the server said by `retry:`.
 * @property {number} [retryAfter] What the server said by `Retry-After`.
 * @property {import("./types.js").SSEBackoff} [backoff]
 * @property {() => number} random
 */

/**
 * Milliseconds to wait.
 *
 * What the server asks for is never undercut, since it may have spread its clients over that time; up to a quarter is added, since
 * it may have told all of them the same. `Retry-After` counts for its one answer, `retry:` for the first attempt after a stream, and as
 * the base of the exponential delays after that.
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
