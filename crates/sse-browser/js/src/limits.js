// The meaning of every number that an app or a server passes to the client.

/** Minimum delay before an attempt in milliseconds, also if the server or the app asks for less. */
export const SHORTEST = 100;
/** Maximum delay before an attempt in milliseconds. */
export const LONGEST = 3_600_000;
/** Minimum timeout in milliseconds that follows from a server's announcement. */
const SHORTEST_SILENCE = 1000;
/** Maximum delay of `setTimeout` in milliseconds: a longer delay wraps and elapses at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * The meaning of an option that is a number: its default, its least value, how it is rounded, and
 * what 0 means.
 *
 * @typedef {object} Meaning
 * @property {number} [normal]
 * @property {number} [least]
 * @property {(value: number) => number} [round]
 * @property {number} [zero]
 */

/** @type {Record<string, Meaning>} */
const OPTIONS = {
  reconnectInterval: { normal: 3000 },
  maxReconnectAttempts: { normal: 5, round: Math.floor },
  "backoff.factor": { normal: 2, least: 1 },
  "backoff.max": { normal: 30_000 },
  connectTimeout: { normal: 20_000, round: Math.ceil, zero: Infinity },
  heartbeatTimeout: { round: Math.ceil, zero: Infinity },
  maxEventBytes: { normal: 2 ** 22, least: 1, round: Math.floor },
  maxMessages: { normal: 100, round: Math.floor },
  maxNotifications: { normal: 100, round: Math.floor },
};

/**
 * Returns the meaning of an option: its default if the option is undefined. Throws a `TypeError` or
 * a `RangeError` if the value is invalid.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {any}
 */
export function limit(name, value) {
  const { normal, least = 0, round = Number, zero = 0 } = OPTIONS[name];
  if (value === undefined) return normal;
  if (typeof value !== "number") throw new TypeError(`${name} is not a number: ${value === null ? value : typeof value}`);
  if (!(value >= least)) throw new RangeError(`${name} is ${value}, not a number from ${least}`);
  return value === 0 ? zero : round(value);
}

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
export function withLimits(options) {
  /** @type {any} */
  const all = { ...options, backoff: { ...options.backoff } };
  for (const path in OPTIONS) {
    const [name, inner] = path.split(".");
    if (inner) all[name][inner] = limit(path, all[name][inner]);
    else all[name] = limit(path, all[name]);
  }
  // An interval that never elapses.
  all.reconnect = (options.reconnect ?? true) && all.reconnectInterval < Infinity;
  return all;
}

/**
 * Returns a server's number, or undefined if the value is not a number from 0. Numbers in headers
 * are texts.
 *
 * @param {unknown} value
 */
export function announced(value) {
  const number = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  return typeof number === "number" && number >= 0 ? number : undefined;
}

/**
 * Returns the silence after which a stream counts as dead, by the interval of heartbeats that the
 * server announces. Null and 0 announce no heartbeats. Returns undefined for an invalid value.
 *
 * @param {unknown} interval
 */
export function silenceAfter(interval) {
  const milliseconds = interval === null ? 0 : announced(interval);
  if (milliseconds === undefined) return undefined;
  return milliseconds === 0 ? Infinity : Math.max(SHORTEST_SILENCE, milliseconds * 2.5);
}

/**
 * Starts a timer of any length; `Infinity` never elapses. Returns a function that cancels the
 * timer.
 *
 * @param {import("./types.js").World} world
 * @param {() => void} run
 * @param {number} milliseconds
 */
export function startTimer(world, run, milliseconds) {
  /** @type {any} */
  let timer;
  /** @param {number} left */
  const wait = (left) => {
    const step = Math.min(left, LONGEST_TIMER);
    timer = world.setTimeout(left > step ? () => wait(left - step) : run, step);
  };
  if (milliseconds < Infinity) wait(milliseconds);
  return () => world.clearTimeout(timer);
}
