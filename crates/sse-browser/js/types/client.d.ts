/**
 * Creates a client; `connect` connects it. Throws a `TypeError` or a `RangeError` if an option that
 * is a number is invalid.
 *
 * @template {object} [Events=import("./types.js").SSEEvents]
 * @param {SSEOptions} [given]
 * @param {Partial<import("./types.js").World>} [part] For tests: replaces parts of the browser's
 *   environment.
 * @returns {SSEClient<Events>}
 */
export function createSSE<Events extends object = import("./types.js").SSEEvents>(given?: SSEOptions, part?: Partial<import("./types.js").World>): SSEClient<Events>;
export { SSEError };
/**
 * @template [Data=any]
 * @template {string} [Type=string]
 * @typedef {import("./types.js").SSEMessage<Data, Type>} SSEMessage
 */
/**
 * @template [Events=import("./types.js").SSEEvents]
 * @typedef {import("./types.js").SSEMessageOf<Events>} SSEMessageOf
 */
/** @typedef {import("./types.js").SSENotification} SSENotification */
/** @typedef {import("./types.js").SSESystemEvent} SSESystemEvent */
/** @typedef {import("./types.js").SSEGap} SSEGap */
/** @typedef {import("./types.js").SSEState} SSEState */
/**
 * @template [Events=import("./types.js").SSEEvents]
 * @typedef {import("./types.js").SSESnapshot<Events>} SSESnapshot
 */
/** @typedef {import("./types.js").SSECallbacks} SSECallbacks */
/** @typedef {import("./types.js").SSEOptions} SSEOptions */
/** @typedef {import("./error.js").SSEErrorCode} SSEErrorCode */
/**
 * A client. Its functions need no `this`.
 *
 * @template [Events=import("./types.js").SSEEvents]
 * @typedef {object} SSEClient
 * @property {() => void} connect Connects, also after the client had given up.
 * @property {(how?: { everywhere?: boolean }) => void} disconnect Ends the stream and cancels
 *   pending attempts. With `everywhere` does so in all tabs that share the stream, and forgets the
 *   last id. Use it to log out.
 * @property {() => SSESnapshot<Events>} getSnapshot
 * @property {(listener: (snapshot: SSESnapshot<Events>) => void) => () => void} subscribe Calls the
 *   listener with the snapshot at once, and after each change. Returns a function that
 *   unsubscribes.
 * @property {import("./types.js").SSEOn<Events>} on Listens to events of a type, `*` for all. Every
 *   event reaches the listener. Returns a function that removes the listener.
 * @property {(callbacks: SSECallbacks) => () => void} listen Adds callbacks. Returns a function
 *   that removes them.
 * @property {() => void} clearMessages
 */
/** @type {SSESnapshot} */
export const INITIAL: SSESnapshot;
export type SSEMessage<Data = any, Type extends string = string> = import("./types.js").SSEMessage<Data, Type>;
export type SSEMessageOf<Events = import("./types.js").SSEEvents> = import("./types.js").SSEMessageOf<Events>;
export type SSENotification = import("./types.js").SSENotification;
export type SSESystemEvent = import("./types.js").SSESystemEvent;
export type SSEGap = import("./types.js").SSEGap;
export type SSEState = import("./types.js").SSEState;
export type SSESnapshot<Events = import("./types.js").SSEEvents> = import("./types.js").SSESnapshot<Events>;
export type SSECallbacks = import("./types.js").SSECallbacks;
export type SSEOptions = import("./types.js").SSEOptions;
export type SSEErrorCode = import("./error.js").SSEErrorCode;
/**
 * A client. Its functions need no `this`.
 */
export type SSEClient<Events = import("./types.js").SSEEvents> = {
    /**
     * Connects, also after the client had given up.
     */
    connect: () => void;
    /**
     * Ends the stream and cancels
     * pending attempts. With `everywhere` does so in all tabs that share the stream, and forgets the
     * last id. Use it to log out.
     */
    disconnect: (how?: {
        everywhere?: boolean;
    }) => void;
    getSnapshot: () => SSESnapshot<Events>;
    /**
     * Calls the
     * listener with the snapshot at once, and after each change. Returns a function that
     * unsubscribes.
     */
    subscribe: (listener: (snapshot: SSESnapshot<Events>) => void) => () => void;
    /**
     * Listens to events of a type, `*` for all. Every
     * event reaches the listener. Returns a function that removes the listener.
     */
    on: import("./types.js").SSEOn<Events>;
    /**
     * Adds callbacks. Returns a function
     * that removes them.
     */
    listen: (callbacks: SSECallbacks) => () => void;
    clearMessages: () => void;
};
import { SSEError } from "./error.js";
