/**
 * Returns whether another attempt can succeed.
 *
 * @param {SSEError} error
 */
export function isTemporary({ code, status }: SSEError): boolean;
/**
 * Returns the error for a response that is not a stream.
 *
 * @param {Response} response
 * @param {string} body
 * @param {number} now
 * @param {string} [method] The method of the request.
 */
export function refusal({ status, headers }: Response, body: string, now: number, method?: string): SSEError;
/**
 * Parses seconds or a date (RFC 9110, section 10.2.3). Returns milliseconds from now, or undefined
 * if the value is neither.
 *
 * @param {string | null} value
 * @param {number} now
 */
export function retryAfter(value: string | null, now: number): number | undefined;
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
    constructor(code: SSEErrorCode, message: string, { status, body, retryable, retryAfter, cause }?: SSEErrorDetails);
    code: SSEErrorCode;
    status: number | undefined;
    body: string | undefined;
    /**
     * `true` exactly if the client goes on automatically: it will try again, or its stream is still
     * open. `false` after the last of `maxReconnectAttempts`, and with `reconnect: false`.
     */
    retryable: boolean;
    retryAfter: number | undefined;
}
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
 */
export type SSEErrorCode = "network" | "ended" | "timeout" | "status" | "unauthorized" | "stay_away" | "type" | "too_large" | "request" | "parse";
export type SSEErrorDetails = {
    /**
     * The status of the response.
     */
    status?: number | undefined;
    /**
     * The beginning of its body.
     */
    body?: string | undefined;
    /**
     * Default false.
     */
    retryable?: boolean | undefined;
    /**
     * The delay that the server asked for, in milliseconds.
     */
    retryAfter?: number | undefined;
    cause?: unknown;
};
