// Errors of a stream.

import { LONGEST, announced } from "./limits.js";

/**
 * - `network`: the connection failed or broke.
 * - `ended`: the server ended the stream.
 * - `timeout`: the stream was silent for too long, or there was no response.
 * - `status`: a response with a status other than 200.
 * - `unauthorized`: 401 or an `auth_expired` event, also after `onUnauthorized` renewed the
 *   credentials.
 * - `stay_away`: 204, or a `disconnected` event by which the server forbids reconnecting.
 * - `type`: a response that is not an event stream.
 * - `too_large`: an event has more than `maxEventBytes`; the stream goes on without that event.
 * - `request`: `headers`, `query`, `ticket` or `body` could not be obtained.
 * - `parse`: `parse` threw; the stream goes on without that event.
 *
 * @typedef {"network" | "ended" | "timeout" | "status" | "unauthorized" | "stay_away" | "type"
 *   | "too_large" | "request" | "parse"} SSEErrorCode
 */

/**
 * @typedef {object} SSEErrorDetails
 * @property {number} [status] The status of the response.
 * @property {string} [body] The beginning of its body.
 * @property {boolean} [retryable] Default false.
 * @property {number} [retryAfter] The delay that the server asked for, in milliseconds.
 * @property {unknown} [cause]
 */

/** The reason why a stream is not open. */
export class SSEError extends Error {
  /**
   * @param {SSEErrorCode} code
   * @param {string} message
   * @param {SSEErrorDetails} [details]
   */
  constructor(code, message, { status, body, retryable = false, retryAfter, cause } = {}) {
    super(message, { cause });
    this.name = "SSEError";
    this.code = code;
    this.status = status;
    this.body = body;
    /**
     * `true` exactly if the client goes on automatically: it will try again, or its stream is still
     * open. `false` after the last of `maxReconnectAttempts`, and with `reconnect: false`.
     */
    this.retryable = retryable;
    this.retryAfter = retryAfter;
  }
}

/** Temporary statuses below 500 (RFC 9110, 8470 and 6585). */
const PASSING = [408, 425, 429];

/**
 * Returns whether another attempt can succeed.
 *
 * @param {SSEError} error
 */
export function isTemporary({ code, status = 0 }) {
  if (code === "status") return status >= 500 || PASSING.includes(status);
  return ["network", "ended", "timeout", "request"].includes(code);
}

/**
 * Returns the error for a response that is not a stream.
 *
 * @param {Response} response
 * @param {string} body
 * @param {number} now
 * @param {string} [method] The method of the request.
 */
export function refusal({ status, headers }, body, now, method = "GET") {
  if (status === 204) return new SSEError("stay_away", "the server forbids reconnecting", { status });
  if (status === 200) {
    return new SSEError("type", `the response is not an event stream: ${headers.get("content-type") ?? "no content type"}`, { status, body });
  }
  const code = status === 401 ? "unauthorized" : "status";
  const details = { status, body, retryAfter: retryAfter(headers.get("retry-after"), now) };
  const reason = status === 405 ? wrongMethod(method, headers.get("allow")) : "";
  const text = [reason, body].filter(Boolean).join(": ");
  return new SSEError(code, text ? `${status}: ${text}` : `status ${status}`, details);
}

/** @param {string} method @param {string | null} allowed */
function wrongMethod(method, allowed) {
  const hint = method.toUpperCase() === "GET" ? "" : ". Servers of this project stream only to GET: leave out `method` and `body`";
  return `the server does not accept ${method}${allowed ? `, only ${allowed}` : ""}${hint}`;
}

/** A date as HTTP has it. Browsers also parse other texts as dates, such as `1.5`. */
const DATE = /^[A-Z][a-z]+, .*GMT$/;

/**
 * Parses seconds or a date (RFC 9110, section 10.2.3). Returns milliseconds from now, or undefined
 * if the value is neither.
 *
 * @param {string | null} value
 * @param {number} now
 */
export function retryAfter(value, now) {
  if (!value) return undefined;
  const seconds = announced(value) ?? (DATE.test(value) ? (Date.parse(value) - now) / 1000 : NaN);
  return Number.isNaN(seconds) ? undefined : Math.min(LONGEST, Math.max(0, seconds * 1000));
}
