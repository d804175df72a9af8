// What can go wrong with a stream.

/**
 * - `network`: no connection, or it broke.
 * - `ended`: the server ended the stream.
 * - `timeout`: silence for too long, or no answer.
 * - `status`: an answer that is not 200.
 * - `unauthorized`: 401, also with what `onUnauthorized` renewed.
 * - `stay_away`: 204, or the server's word: do not come back.
 * - `type`: an answer that is not an event stream.
 * - `too_large`: an event of more than `maxEventBytes`.
 * - `request`: `headers`, `query`, `ticket` or `body` could not be had.
 * - `parse`: `parse` threw; the stream goes on without that event.
 *
 * @typedef {"network" | "ended" | "timeout" | "status" | "unauthorized" | "stay_away" | "type" | "too_large" | "request" | "parse"} SSEErrorCode
 */

/**
 * @typedef {object} SSEErrorDetails
 * @property {number} [status] The status of the answer.
 * @property {string} [body] The beginning of its body.
 * @property {boolean} [retryable]
 * @property {number} [retryAfter] What the server asked for, in milliseconds.
 * @property {unknown} [cause]
 */

/** Why a stream is not there. */
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
    /** Whether it makes sense to try again. */
    this.retryable = retryable;
    this.retryAfter = retryAfter;
  }
}

/** Statuses other than those of 500 and more that pass by themselves (RFC 9110, 8470 and 6585). */
const PASSING = [408, 425, 429];

/**
 * The error of an answer that is not a stream.
 *
 * @param {Response} response
 * @param {string} body
 * @param {number} now
 */
export function refusal({ status, headers }, body, now) {
  if (status === 204) return new SSEError("stay_away", "the server wants this client to stay away", { status });
  if (status === 200) {
    return new SSEError("type", `not an event stream: ${headers.get("content-type") ?? "no content type"}`, { status, body });
  }
  const retryable = status >= 500 || PASSING.includes(status);
  const code = status === 401 ? "unauthorized" : "status";
  const details = { status, body, retryable, retryAfter: retryAfter(headers.get("retry-after"), now) };
  return new SSEError(code, body ? `${status}: ${body}` : `status ${status}`, details);
}

/**
 * Seconds or a date (RFC 9110, section 10.2.3), as milliseconds from now.
 *
 * @param {string | null} value
 * @param {number} now
 */
export function retryAfter(value, now) {
  if (!value) return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
