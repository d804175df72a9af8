// The client: a store with the state and the messages of a stream, and callbacks.

import { createConnection } from "./connection.js";
import { SSEError, isTemporary } from "./error.js";
import { withLimits } from "./limits.js";
import { createShared, shareKey } from "./shared.js";
import { call, createStore } from "./store.js";
import { browser, listenTo, watchPage } from "./world.js";

export { SSEError };

/** Maximum number of ids that are remembered to drop duplicates. */
const IDS = 1000;

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
export const INITIAL = Object.freeze({
  state: "idle", role: "alone", clientId: null, userId: null, attempt: 0, nextRetryAt: null, lastEventId: "", error: null,
  lastMessage: null, messages: Object.freeze([]),
});

/** @param {string} text */
function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

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
export function createSSE(given = {}, part) {
  const options = withLimits(given);
  const { parse = json, maxMessages, signal, reconnect, pauseWhenHidden = false } = options;
  const world = { ...browser(), ...(options.fetch && { fetch: options.fetch }), ...part };
  const key = shareKey(options, world.base);
  const place = createPlace(options, key, world);
  const store = createStore(INITIAL);
  /** @type {Set<SSECallbacks>} */
  const audience = new Set([given]);
  /** @type {Set<string>} */
  const seen = new Set();
  /** The last event id at the previous event. */
  let position = "";

  /** @template {keyof SSECallbacks} Name @param {Name} name @param {any[]} values */
  const tell = (name, ...values) => {
    for (const one of [...audience]) call(/** @type {any} */ (one[name]), ...values);
  };

  /**
   * Returns whether an event is a duplicate: after a resumption, or from two tabs.
   *
   * @param {import("./types.js").Arrival} event
   */
  const isDouble = ({ type, text, id }) => {
    // These carry a position, which can equal the id of an event.
    if (!id || type === "connection" || type === "heartbeat" || (type === "system" && json(text)?.event === "gap")) return false;
    if (seen.has(id)) return true;
    seen.add(id);
    if (seen.size > IDS) for (const oldest of seen) { seen.delete(oldest); break; }
    return false;
  };

  /** @type {import("./types.js").Sink} */
  const sink = {
    change: (change) => {
      const was = store.getSnapshot().state;
      if (change.lastEventId !== undefined) place.save(change.lastEventId);
      store.set(change);
      const is = store.getSnapshot().state;
      if (was !== "open" && is === "open") tell("onConnect");
      if (was === "open" && is !== "open") tell("onDisconnect");
      watch();
    },
    event: (event) => {
      if (isDouble(event)) return;
      const { type, text, id, raw, timestamp, lastEventId } = event;
      const from = position || null;
      position = lastEventId;
      const { event: name, data: details } = (type === "system" && json(text)) || {};
      const gap = { reason: "unknown", ...details };
      /** @type {any} */
      let data;
      try {
        data = parse(text, type);
      } catch (cause) {
        tell("onError", new SSEError("parse", `failed to parse ${type} event: ${cause}`, { retryable: true, cause }));
        if (name === "gap") tell("onGap", gap);
        else if (type !== "connection" && type !== "heartbeat") tell("onGap", { reason: "parse", dropped: 1, from, to: id ?? null });
        return;
      }
      const message = { type, data, ...(id && { id }), timestamp, ...(raw && { raw }) };
      if (type !== "heartbeat") {
        const messages = maxMessages > 0 ? [...store.getSnapshot().messages, message].slice(-maxMessages) : [];
        store.set({ lastMessage: message, messages });
      }
      tell("onMessage", message);
      if (name === "gap") tell("onGap", gap);
    },
    error: (error) => tell("onError", error),
  };

  /** @type {import("./types.js").Source | undefined} */
  let source;
  /** @type {(() => void) | undefined} */
  let unwatch;

  /**
   * Listens to the page and to `signal` exactly while they can change something: they outlive the
   * client.
   */
  const watch = () => {
    const { state, error } = store.getSnapshot();
    const canWake = state === "failed" ? reconnect && error && isTemporary(error) : state !== "idle" && state !== "closed";
    // Other tabs can revive a stream that has ended, and a tab with the lock must release it.
    if (!(source?.isWanted?.() ?? canWake)) {
      unwatch?.();
      unwatch = undefined;
    } else if (!unwatch && source) {
      const { wake, suspend: sleep } = source;
      const ends = [
        watchPage(world, { wake, sleep, pausesWhenHidden: pauseWhenHidden }),
        listenTo([[signal, "abort", () => disconnect()]]),
      ];
      unwatch = () => { for (const end of ends) end(); };
    }
  };

  const open = () => {
    const whole = { ...place.load(), ...options };
    return key !== undefined && isShared(options, world) ? createShared(key, whole, sink, world) : createConnection(whole, sink, world);
  };

  const disconnect = ({ everywhere = false } = {}) => {
    if (everywhere) source?.stopAll?.();
    source?.disconnect();
    if (everywhere) sink.change({ lastEventId: "" });
  };

  const connect = () => {
    if (signal?.aborted) return sink.change({ state: "closed" });
    source ??= open();
    source.connect();
  };

  return /** @type {any} */ ({
    connect,
    disconnect,
    getSnapshot: store.getSnapshot,
    subscribe: store.subscribe,
    on: (/** @type {string} */ type, /** @type {(message: any) => void} */ listener) => {
      /** @type {SSECallbacks} */
      const callbacks = { onMessage: (message) => { if (type === "*" || message.type === type) listener(message); } };
      audience.add(callbacks);
      return () => { audience.delete(callbacks); };
    },
    listen: (/** @type {SSECallbacks} */ callbacks) => {
      const mine = { ...callbacks };
      audience.add(mine);
      return () => { audience.delete(mine); };
    },
    clearMessages: () => store.set({ messages: [], lastMessage: null }),
  });
}

/**
 * Returns whether tabs share the stream. Sharing needs a name of the user, because nothing else
 * shows that two tabs belong to one user. It also needs a stream that every tab could open for the
 * other tabs: only the app knows whether the results of `query` functions are equal.
 *
 * @param {SSEOptions} options
 * @param {import("./types.js").World} world
 */
function isShared({ share, user, query, method = "GET", body }, { locks, BroadcastChannel }) {
  return !!((share ?? (user != null && typeof query !== "function")) && locks && BroadcastChannel && method === "GET" && !body);
}

/**
 * Creates the storage in which the last id outlives the page. A stream without a key has no
 * storage.
 *
 * @param {SSEOptions} options
 * @param {string | undefined} key
 * @param {import("./types.js").World} world
 */
function createPlace({ storage }, key, world) {
  /**
   * @template T
   * @param {() => Pick<Storage, "getItem" | "setItem" | "removeItem">} storage
   * @param {(storage: Pick<Storage, "getItem" | "setItem" | "removeItem">, key: string) => T} use
   */
  const attempt = (storage, use) => {
    try {
      return key === undefined ? undefined : use(storage(), key);
    } catch {
      // Storage is full or not allowed here. The stream works without storage.
      return undefined;
    }
  };
  const isLocal = storage === "local";
  /** The storage of this tab alone, and the one that all tabs share. */
  const mine = () => (storage && typeof storage === "object" ? storage : world.sessionStorage ?? sessionStorage);
  const all = () => world.localStorage ?? localStorage;
  return {
    load: () => {
      const own = storage && attempt(mine, (place, key) => place.getItem(key));
      const theirs = isLocal && attempt(all, (place, key) => place.getItem(key));
      return { lastEventId: own || theirs || "", isNewTab: isLocal && !own };
    },
    /** @param {string} id */
    save: (id) => {
      for (const one of storage ? [mine, ...(isLocal ? [all] : [])] : []) {
        attempt(one, (place, key) => (id ? place.setItem(key, id) : place.removeItem(key)));
      }
    },
  };
}
