"use client";

// The React hooks, for any copy of React: pages without a bundler pass their own copy.

import { INITIAL, createSSE } from "./client.js";
import { keyOf } from "./key.js";
import { limit } from "./limits.js";
import { createNotificationList } from "./notifications.js";
import { call, createStore } from "./store.js";
import { listenTo } from "./world.js";

/**
 * Time for which a stream without components is kept, because StrictMode and route changes use it
 * again.
 */
const LINGER_MS = 50;

/**
 * @typedef {object} UseSSEOptions
 * @property {boolean} [enabled] `true` (default) to connect when the component mounts; `false` to
 *   wait for `connect`.
 * @property {import("./client.js").SSEClient} [client] A client of the app's own. The app connects
 *   and disconnects it. Of the other options only the callbacks and `maxMessages` apply.
 */

/**
 * The result of `useSSE`: the parts of the client and of its snapshot that a component can use.
 * `lastEventId` is not among them, since a change of it shows nothing.
 *
 * @template [Events=import("./types.js").SSEEvents]
 * @typedef {Omit<import("./types.js").SSESnapshot<Events>, "lastEventId">
 *   & UseSSEMembers<Events>} UseSSE
 */

/**
 * @template [Events=import("./types.js").SSEEvents]
 * @typedef {object} UseSSEMembers
 * @property {boolean} isConnected
 * @property {boolean} isConnecting `true` while a stream is being opened, or will be retried. If
 *   neither `isConnected` nor `isConnecting` is set, the stream has ended until `connect`.
 * @property {() => void} connect
 * @property {(how?: { everywhere?: boolean }) => void} disconnect Disconnects this component; with
 *   `everywhere` all components and tabs that share the stream, to log out.
 * @property {import("./types.js").SSEOn<Events>} on Listens to events of a type, `*` for all, from
 *   an effect: `useEffect(() => on("order", show), [on])`. Every event reaches the listener.
 * @property {() => void} clearMessages
 */

/**
 * The parts of React that the hooks use.
 *
 * @typedef {Pick<typeof import("react"), "useCallback" | "useEffect" | "useMemo" | "useRef"
 *   | "useSyncExternalStore">} ReactHooks
 */

/**
 * The options of the hooks. `signal` disconnects the component; the stream ends with its last
 * component.
 *
 * @typedef {import("./types.js").SSEOptions & UseSSEOptions} HookOptions
 */

/**
 * A stream that components share.
 *
 * @typedef {object} Held
 * @property {import("./client.js").SSEClient} client
 * @property {boolean} isOurs `true` if the client was created here and ends with its last
 *   component.
 * @property {HookOptions} latest The options of the component that rendered last, so that their
 *   functions are current.
 * @property {Set<object>} holders
 * @property {any} [ending]
 */

/** @type {Map<string, Held>} */
const streams = new Map();

/** Option functions that the stream itself calls. */
const FUNCTIONS = /** @type {const} */ (["headers", "query", "ticket", "body", "onUnauthorized", "parse", "fetch"]);

/** Represents a function of `FUNCTIONS` in a key. */
const PRESENT = Symbol("function");

/**
 * Returns the key of a stream. Components share a stream if their options are equal. Callbacks,
 * `enabled`, `maxMessages` and `signal` do not count. For the functions of `FUNCTIONS` only their
 * presence counts, not their identity. What else cannot be compared by value, such as a `Blob`, is
 * compared by identity.
 *
 * @param {HookOptions} options
 */
function streamKey({ client, enabled, maxMessages, signal, onConnect, onDisconnect, onError, onMessage, onGap, ...source }) {
  if (client) return "";
  const entries = Object.entries(source).filter(([, value]) => value !== undefined);
  /** @param {string} name @param {unknown} value */
  const shown = (name, value) => (typeof value === "function" && FUNCTIONS.includes(/** @type {any} */ (name)) ? PRESENT : value);
  return keyOf(Object.fromEntries(entries.map(([name, value]) => [name, shown(name, value)])));
}

/** @param {string} key @param {HookOptions} options @returns {Held} */
function hold(key, options) {
  const { client } = options;
  if (client) return { client, isOurs: false, latest: options, holders: new Set() };
  const found = streams.get(key);
  if (found) return found;
  /** @type {any} */
  const functions = {};
  for (const name of FUNCTIONS) {
    if (typeof options[name] !== "function") continue;
    functions[name] = (/** @type {any[]} */ ...values) => /** @type {any} */ (made.latest[name])?.(...values);
  }
  const { signal, onConnect, onDisconnect, onError, onMessage, onGap, ...source } = options;
  const ours = createSSE({ ...source, ...functions, maxMessages: 0 });
  /** @type {Held} */
  const made = { client: ours, isOurs: true, latest: options, holders: new Set() };
  streams.set(key, made);
  return made;
}

/**
 * Creates a component's view of a stream: its own messages, and nothing after it has disconnected.
 *
 * @param {string} key
 * @param {{ current: HookOptions }} latest
 */
function createView(key, latest) {
  const store = createStore(INITIAL);
  const self = {};
  /** @type {Set<(message: any) => void>} */
  const listeners = new Set();
  /** @type {Held | undefined} */
  let stream;
  /** @type {(() => void)[]} */
  let ends = [];

  /** @param {import("./types.js").SSEMessage} message */
  const take = (message) => {
    if (message.type !== "heartbeat") {
      const most = limit("maxMessages", latest.current.maxMessages);
      store.set({ lastMessage: message, messages: most > 0 ? [...store.getSnapshot().messages, message].slice(-most) : [] });
    }
    latest.current.onMessage?.(message);
    for (const listener of [...listeners]) call(listener, message);
  };

  const attach = () => {
    if (stream) return stream;
    const mine = (stream = hold(key, latest.current));
    mine.latest = latest.current;
    clearTimeout(mine.ending);
    mine.holders.add(self);
    let isOpen = false;
    ends = [
      mine.client.listen({
        onError: (error) => latest.current.onError?.(error),
        onGap: (gap) => latest.current.onGap?.(gap),
        onMessage: take,
      }),
      mine.client.subscribe(({ messages, lastMessage, lastEventId, ...state }) => {
        store.set(state);
        // A component that mounts while the stream is open is notified as well.
        if (isOpen === (state.state === "open")) return;
        isOpen = !isOpen;
        call(isOpen ? latest.current.onConnect : latest.current.onDisconnect);
      }),
    ];
    if (mine.isOurs) mine.client.connect();
    return mine;
  };

  /** @param {number} linger */
  const detach = (linger) => {
    const mine = stream;
    if (!mine) return;
    stream = undefined;
    for (const end of ends) end();
    mine.holders.delete(self);
    if (mine.isOurs && mine.holders.size === 0) {
      mine.ending = setTimeout(() => {
        if (streams.get(key) === mine) streams.delete(key);
        mine.client.disconnect();
      }, linger);
    }
    store.set({ state: "closed", nextRetryAt: null, error: null });
  };

  return {
    getSnapshot: store.getSnapshot,
    subscribe: store.subscribe,
    attach,
    unmount: () => detach(LINGER_MS),
    connect: () => {
      const { client, signal } = latest.current;
      if (client || !signal?.aborted) attach().client.connect();
    },
    /** @param {{ everywhere?: boolean }} [how] */
    disconnect: (how) => {
      if (stream && (!stream.isOurs || how?.everywhere)) stream.client.disconnect(how);
      if (!stream?.isOurs) return;
      const wasOpen = store.getSnapshot().state === "open";
      detach(0);
      if (wasOpen) call(latest.current.onDisconnect);
    },
    clearMessages: () => store.set({ messages: [], lastMessage: null }),
    refresh: () => { if (stream) stream.latest = latest.current; },
    /** @param {string} type @param {(message: any) => void} listener */
    on: (type, listener) => {
      const mine = (/** @type {any} */ message) => { if (type === "*" || message.type === type) listener(message); };
      listeners.add(mine);
      return () => { listeners.delete(mine); };
    },
  };
}

const ofServer = () => INITIAL;

/**
 * Creates the hooks for a copy of React.
 *
 * @param {ReactHooks} React
 */
export function createHooks({ useCallback, useEffect, useMemo, useRef, useSyncExternalStore }) {
  /** @param {HookOptions} options */
  const useView = (options) => {
    const latest = useRef(options);
    const key = streamKey(options);
    const { client, enabled = true, signal } = options;
    limit("maxMessages", options.maxMessages);
    const view = useMemo(() => createView(key, latest), [key, client]);
    // Runs before the effect that connects, and after each render, so that callbacks are always
    // current.
    useEffect(() => {
      latest.current = options;
      view.refresh();
    });
    useEffect(() => {
      if (client || (enabled && !latest.current.signal?.aborted)) view.attach();
      return view.unmount;
    }, [view, client, enabled]);
    // Apart from the connecting: a new signal does not reconnect.
    useEffect(() => {
      if (client) return;
      if (signal?.aborted) view.disconnect();
      return listenTo([[signal, "abort", view.disconnect]]);
    }, [view, client, signal]);
    return view;
  };

  /** @param {ReturnType<typeof createView>} view @returns {any} */
  const useMembers = (view) => {
    const snapshot = useSyncExternalStore(view.subscribe, view.getSnapshot, ofServer);
    return useMemo(() => {
      const { lastEventId, ...shown } = snapshot;
      const { connect, disconnect, on, clearMessages } = view;
      const isConnecting = shown.state === "connecting" || shown.state === "waiting";
      return { ...shown, isConnected: shown.state === "open", isConnecting, connect, disconnect, on, clearMessages };
    }, [snapshot, view]);
  };

  /**
   * Connects to a stream while the component is mounted. Components with the same options share one
   * stream; each has its own messages.
   *
   * Callbacks, and functions among the options, can be written inline: a new function never
   * reconnects.
   *
   * @template {object} [Events=import("./types.js").SSEEvents]
   * @param {HookOptions} [options]
   * @returns {UseSSE<Events>}
   */
  const useSSE = (options = {}) => useMembers(useView(options));

  /**
   * Returns the notifications of a stream, together with the result of `useSSE`.
   *
   * @template {object} [Events=import("./types.js").SSEEvents]
   * @param {HookOptions & import("./notifications.js").NotificationsOptions} [options]
   */
  const useNotifications = (options = {}) => {
    const { maxNotifications, onNotification, ...rest } = options;
    const view = useView(rest);
    /** @type {UseSSE<Events>} */
    const sse = useMembers(view);
    const latest = useRef(onNotification);
    useEffect(() => { latest.current = onNotification; });
    const tell = useCallback((/** @type {any} */ notification) => latest.current?.(notification), []);
    const list = useMemo(() => createNotificationList({ maxNotifications, onNotification: tell }), [view, maxNotifications]);
    useEffect(() => view.on("notification", list.add), [view, list]);
    const { notifications, unread } = useSyncExternalStore(list.subscribe, list.getSnapshot, list.getSnapshot);
    return { ...sse, notifications, unread, dismiss: list.dismiss, dismissAll: list.dismissAll, markRead: list.markRead };
  };

  return { useSSE, useNotifications };
}
