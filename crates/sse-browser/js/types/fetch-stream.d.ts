/**
 * The parameters of one attempt, and the functions that receive its reports.
 *
 * @typedef {object} Attempt
 * @property {AbortSignal} signal
 * @property {string} lastEventId
 * @property {number} [maxEventBytes]
 * @property {boolean} [raw]
 * @property {(headers?: Headers) => void} open
 * @property {() => void} bytes Called for all bytes, even a comment.
 * @property {(event: import("./parser.js").ParsedEvent) => void} event
 * @property {(event: import("./parser.js").SkippedEvent) => void} skip
 * @property {(id: string) => void} id
 * @property {(milliseconds: number) => void} retry
 */
/**
 * Opens a stream and reads it; resolves when the server ends the stream.
 *
 * @param {string} url
 * @param {RequestInit} init
 * @param {Attempt} attempt
 * @param {import("./types.js").World} world
 */
export function fetchStream(url: string, init: RequestInit, attempt: Attempt, world: import("./types.js").World): Promise<void>;
/**
 * The parameters of one attempt, and the functions that receive its reports.
 */
export type Attempt = {
    signal: AbortSignal;
    lastEventId: string;
    maxEventBytes?: number | undefined;
    raw?: boolean | undefined;
    open: (headers?: Headers) => void;
    /**
     * Called for all bytes, even a comment.
     */
    bytes: () => void;
    event: (event: import("./parser.js").ParsedEvent) => void;
    skip: (event: import("./parser.js").SkippedEvent) => void;
    id: (id: string) => void;
    retry: (milliseconds: number) => void;
};
