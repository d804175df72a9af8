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
export function delay({ failures, interval, retry, retryAfter, backoff, random }: Wait): number;
/**
 * The data for a delay; times are in milliseconds.
 */
export type Wait = {
    /**
     * Number of failures in a row, including this one.
     */
    failures: number;
    /**
     * The delay after the first failure.
     */
    interval: number;
    /**
     * The server's `retry:`.
     */
    retry?: number | undefined;
    /**
     * The server's `Retry-After`.
     */
    retryAfter?: number | undefined;
    backoff?: import("./types.js").SSEBackoff | undefined;
    random: () => number;
};
