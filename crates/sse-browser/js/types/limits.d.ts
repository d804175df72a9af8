/**
 * Returns the meaning of an option: its default if the option is undefined. Throws a `TypeError` or
 * a `RangeError` if the value is invalid.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {any}
 */
export function limit(name: string, value: unknown): any;
/**
 * The options that have a value if they have their meaning.
 *
 * @typedef {"reconnectInterval" | "maxReconnectAttempts" | "backoff" | "connectTimeout"
 *   | "maxEventBytes" | "maxMessages" | "reconnect"} Always
 */
/**
 * Returns options with the meaning of each number. Throws if a number is invalid.
 *
 * @param {import("./types.js").SSEOptions} options
 * @returns {import("./types.js").SSEOptions
 *   & Required<Pick<import("./types.js").SSEOptions, Always>>}
 */
export function withLimits(options: import("./types.js").SSEOptions): import("./types.js").SSEOptions & Required<Pick<import("./types.js").SSEOptions, Always>>;
/**
 * Returns a server's number, or undefined if the value is not a number from 0. Numbers in headers
 * are texts.
 *
 * @param {unknown} value
 */
export function announced(value: unknown): number | undefined;
/**
 * Returns the silence after which a stream counts as dead, by the interval of heartbeats that the
 * server announces. Null and 0 announce no heartbeats. Returns undefined for an invalid value.
 *
 * @param {unknown} interval
 */
export function silenceAfter(interval: unknown): number | undefined;
/**
 * Starts a timer of any length; `Infinity` never elapses. Returns a function that cancels the
 * timer.
 *
 * @param {import("./types.js").World} world
 * @param {() => void} run
 * @param {number} milliseconds
 */
export function startTimer(world: import("./types.js").World, run: () => void, milliseconds: number): () => void;
/** Minimum delay before an attempt in milliseconds, also if the server or the app asks for less. */
export const SHORTEST: 100;
/** Maximum delay before an attempt in milliseconds. */
export const LONGEST: 3600000;
/**
 * The options that have a value if they have their meaning.
 */
export type Always = "reconnectInterval" | "maxReconnectAttempts" | "backoff" | "connectTimeout" | "maxEventBytes" | "maxMessages" | "reconnect";
/**
 * The meaning of an option that is a number: its default, its least value, how it is rounded, and
 * what 0 means.
 */
export type Meaning = {
    normal?: number | undefined;
    least?: number | undefined;
    round?: ((value: number) => number) | undefined;
    zero?: number | undefined;
};
