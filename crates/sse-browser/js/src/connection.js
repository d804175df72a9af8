// The stream of one tab: opens it, watches it, and reconnects.

import { delay } from "./delay.js";
import { SSEError, isTemporary } from "./error.js";
import { eventSourceStream } from "./event-source-stream.js";
import { fetchStream } from "./fetch-stream.js";
import { silenceAfter, startTimer, withLimits } from "./limits.js";

/** Lifetime after which a stream counts as good, even if it brought no event. */
const STABLE_MS = 5000;
/** Minimum interval between attempts that are caused by waking up, or made offline. */
const WAKE_MS = 1000;
/** Delay of a timer that shows that the timer slept, and the stream with it. */
const LATE_MS = 5000;
/** Maximum length of an id in UTF-16 units: servers refuse a request with a longer header. */
const LONGEST_ID = 2048;

/**
 * @template T
 * @param {import("./types.js").PerAttempt<T> | undefined} value
 */
const current = async (value) => (typeof value === "function" ? /** @type {() => T | Promise<T>} */ (value)() : value);

/**
 * Returns the data of an event that the server itself sends.
 *
 * @param {string} text
 */
function own(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    // A foreign server uses the same name for something else.
    return {};
  }
}

/**
 * Returns whether an id can be sent as a header. An id from a storage can be anything.
 *
 * @param {string} id
 */
const canResumeFrom = (id) => id.length <= LONGEST_ID && !/[\0\r\n]/.test(id);

/**
 * Writes topics into a query: as a list, or one by one if a topic would not survive in a list. In a
 * list, commas separate, and spaces around a topic do not count.
 *
 * @param {URLSearchParams} query
 * @param {readonly string[]} topics
 */
function writeTopics(query, topics) {
  if (!topics.length) return;
  query.delete("topics");
  query.delete("topic");
  if (topics.every((topic) => /^[^, ]([^,]*[^, ])?$/.test(topic))) query.set("topics", topics.join());
  else for (const topic of topics) query.append("topic", topic);
}

/**
 * Creates a connection that is not connected yet.
 *
 * @param {import("./types.js").SSESource} source
 * @param {import("./types.js").Sink} sink
 * @param {import("./types.js").World} world
 * @returns {import("./types.js").Source}
 */
export function createConnection(source, sink, world) {
  const {
    url = "/api/sse", topics = [], reconnect, reconnectInterval, maxReconnectAttempts, backoff, transport = "fetch",
    heartbeatTimeout, connectTimeout, maxEventBytes, raw, onUnauthorized,
  } = withLimits(source);
  /** @type {import("./types.js").SSEState} */
  let state = "idle";
  let lastEventId = canResumeFrom(source.lastEventId ?? "") ? source.lastEventId ?? "" : "", formerId = "";
  let epoch = 0, failures = 0, isSuspended = false, isExhausted = false;
  /** Number of times in a row that the server refused the credentials. */
  let refusals = 0;
  /** @type {number | undefined} */
  let retry;
  /** Silence after which the stream counts as dead. */
  let silence = Infinity;
  let openedAt = 0, heardAt = 0, triedAt = -Infinity, nextRetryAt = 0, notBefore = 0;
  /** @type {AbortController | undefined} */
  let abort;
  let cancel = () => {};

  /** @param {Partial<import("./types.js").SSESnapshot>} change */
  const change = (change) => {
    state = change.state ?? state;
    sink.change(change);
  };

  /** @param {() => void} run @param {number} milliseconds */
  const after = (run, milliseconds) => {
    cancel();
    cancel = startTimer(world, run, milliseconds);
  };

  /** Releases the stream; its later events are ignored. */
  const release = () => {
    epoch++;
    cancel();
    abort?.abort();
    abort = undefined;
  };

  const attempt = async () => {
    release();
    const mine = epoch;
    const { signal } = (abort = new AbortController());
    triedAt = world.now();
    silence = Infinity;
    change({ state: "connecting", attempt: failures, nextRetryAt: null });
    after(() => lost(new SSEError("timeout", "no response")), connectTimeout);
    /** @template {any[]} A @param {(...values: A) => void} run @returns {(...values: A) => void} */
    const ours = (run) => (...values) => { if (mine === epoch) run(...values); };
    /** @type {SSEError} */
    let error;
    try {
      const { address, init } = await request();
      if (mine !== epoch) return;
      const handlers = {
        signal, lastEventId, maxEventBytes, raw,
        open: ours(opened), bytes: ours(heard), event: ours(arrived), skip: ours(skipped), id: ours(moved), retry: ours(told),
      };
      await (transport === "fetch"
        ? fetchStream(address, init, handlers, world)
        : eventSourceStream(address, source, handlers, world));
      error = new SSEError("ended", "the server ended the stream");
    } catch (cause) {
      error = cause instanceof SSEError ? cause
        : new SSEError("request", `the request could not be made: ${cause}`, { cause });
    }
    if (mine === epoch) lost(error);
  };

  const request = async () => {
    const [headers, query, ticket, body] =
      await Promise.all([current(source.headers), current(source.query), current(source.ticket), current(source.body)]);
    const address = new URL(url, world.base);
    const parameters = new URLSearchParams(/** @type {any} */ (query ?? {}));
    writeTopics(parameters, topics);
    if (topics.length) for (const name of ["topics", "topic"]) address.searchParams.delete(name);
    if (ticket) parameters.set("ticket", ticket);
    for (const name of new Set(parameters.keys())) address.searchParams.delete(name);
    for (const [name, value] of parameters) address.searchParams.append(name, value);
    if (transport !== "fetch" && lastEventId) address.searchParams.set("lastEventId", lastEventId);
    return { address: address.href, init: { method: source.method, headers, body, credentials: source.credentials } };
  };

  /** @param {Headers} [headers] */
  const opened = (headers) => {
    openedAt = heardAt = world.now();
    silence = heartbeatTimeout ?? silenceAfter(headers?.get("x-sse-heartbeat-ms") ?? null) ?? Infinity;
    change({ state: "open", error: null });
    watch();
  };

  const heard = () => { heardAt = world.now(); };

  /** Starts the one timer for all arrivals: it checks the time of the last arrival. */
  const watch = () => {
    const due = heardAt + silence;
    after(() => {
      if (heardAt + silence > world.now()) return watch();
      const slept = world.now() - due > LATE_MS;
      lost(new SSEError("timeout", "the stream was silent too long"), slept);
    }, due - world.now());
  };

  /** @param {string} id */
  const moved = (id) => {
    if (!canResumeFrom(id)) return;
    formerId = lastEventId;
    lastEventId = id;
    sink.change({ lastEventId });
  };

  /** @param {number} milliseconds */
  const told = (milliseconds) => { retry = milliseconds; };

  /** @param {import("./parser.js").ParsedEvent} event */
  const arrived = ({ type, data, id = "", raw }) => {
    const mine = epoch;
    const isSystem = type === "system";
    const { event, data: details } = isSystem ? own(data) : {};
    const isFarewell = isSystem && ["shutdown", "auth_expired", "disconnected"].includes(event);
    if (type === "connection") {
      const { clientId = null, userId = null, heartbeatMs } = own(data);
      change({ clientId, userId });
      silence = heartbeatTimeout ?? silenceAfter(heartbeatMs) ?? silence;
      watch();
    } else if (type !== "heartbeat" && !isFarewell && event !== "gap") {
      // Only an event of the app shows that the stream works: a server can greet and then drop it.
      failures = 0;
    }
    const known = id && canResumeFrom(id) ? { id } : {};
    sink.event({ type, text: data, ...known, lastEventId, timestamp: world.now(), ...(raw && { raw }) });
    // A listener may have ended the stream.
    if (mine !== epoch || !isFarewell) return;
    if (event === "auth_expired") expired(new SSEError("unauthorized", "the credentials of the stream have expired"));
    else if (details?.reconnect === false) stop(new SSEError("stay_away", `the server ended the stream: ${details.reason}`));
  };

  /**
   * Reports an event that is too large as lost.
   *
   * @param {import("./parser.js").SkippedEvent} event
   */
  const skipped = ({ id }) => {
    const mine = epoch, timestamp = world.now();
    failures = 0;
    sink.error(new SSEError("too_large", `skipped an event of more than ${maxEventBytes} bytes`, { retryable: true }));
    if (mine !== epoch) return;
    const from = id === undefined ? lastEventId : formerId;
    const data = { reason: "too_large", dropped: 1, from: from || null, to: id || null };
    sink.event({ type: "system", text: JSON.stringify({ event: "gap", data, timestamp }), lastEventId, timestamp });
  };

  /** Forgets earlier failures, because the stream was good. */
  const settle = () => {
    if (state === "open" && world.now() - openedAt >= STABLE_MS) failures = refusals = 0;
  };

  /**
   * Handles a stream that was lost or did not open.
   *
   * @param {SSEError} error
   * @param {boolean} [isExcused] `true` if the failure does not count.
   */
  const lost = (error, isExcused = false) => {
    settle();
    // The server has accepted the credentials.
    if (state === "open") refusals = 0;
    release();
    if (error.code === "unauthorized") return expired(error);
    if (!isTemporary(error)) return stop(error);
    const isOnline = world.isOnline();
    if (!isExcused && isOnline) failures++;
    if (!reconnect || failures > maxReconnectAttempts) return stop(error);
    error.retryable = true;
    const wait = { failures: isOnline ? failures : Infinity, interval: reconnectInterval, retry, backoff, random: world.random };
    const { retryAfter } = error;
    const shortest = isOnline ? 0 : WAKE_MS;
    const milliseconds = isExcused ? 0 : Math.max(shortest, delay({ ...wait, retryAfter }));
    notBefore = retryAfter === undefined ? 0 : world.now() + milliseconds;
    waitFor(milliseconds, { attempt: failures, error });
    sink.error(error);
  };

  /** @param {number} milliseconds @param {Partial<import("./types.js").SSESnapshot>} [more] */
  const waitFor = (milliseconds, more) => {
    nextRetryAt = world.now() + milliseconds;
    after(attempt, milliseconds);
    change({ state: "waiting", nextRetryAt, ...more });
  };

  /**
   * Handles missing or expired credentials. The page may have renewed them, so the first attempt is
   * made with what the browser sends now. If the server refuses this too, `onUnauthorized` renews
   * the credentials for a last attempt.
   *
   * @param {SSEError} error
   */
  const expired = async (error) => {
    settle();
    release();
    const mine = epoch;
    refusals++;
    if (!reconnect || refusals > (onUnauthorized ? 2 : 1)) return stop(error);
    error.retryable = true;
    change({ state: "connecting", nextRetryAt: null, error });
    if (refusals === 1) return attempt();
    let isGivenUp = false;
    try {
      isGivenUp = (await onUnauthorized?.()) === false;
    } catch (cause) {
      error.cause = cause;
      isGivenUp = true;
    }
    if (mine === epoch) isGivenUp ? stop(error) : attempt();
  };

  /**
   * Ends the connection for good: the client makes no further attempt.
   *
   * @param {SSEError} error
   */
  const stop = (error) => {
    release();
    isExhausted = isTemporary(error) && reconnect;
    error.retryable = false;
    change({ state: error.code === "stay_away" ? "closed" : "failed", attempt: failures, nextRetryAt: null, error });
    sink.error(error);
  };

  const connect = () => {
    isSuspended = false;
    if (state === "connecting" || state === "open") return;
    failures = refusals = 0;
    attempt();
  };

  const disconnect = () => {
    release();
    isSuspended = false;
    change({ state: "closed", nextRetryAt: null, error: null });
  };

  const suspend = () => {
    if (state !== "connecting" && state !== "open" && state !== "waiting") return;
    release();
    isSuspended = true;
    change({ state: "waiting", nextRetryAt: null });
  };

  const check = () => {
    const now = world.now();
    if (state === "waiting" && !isSuspended && now >= nextRetryAt) return attempt();
    if (state !== "open" || now - heardAt < silence) return;
    lost(new SSEError("timeout", "the stream was silent while the page slept"), true);
  };

  const wake = () => {
    const now = world.now();
    if (isSuspended) {
      isSuspended = false;
      attempt();
    } else if (state === "waiting") {
      const soonest = Math.max(now, notBefore, triedAt + WAKE_MS);
      if (soonest <= now) attempt();
      else if (soonest < nextRetryAt) waitFor(soonest - now);
    } else if (state === "failed" && isExhausted) {
      connect();
    } else {
      check();
    }
  };

  return { connect, disconnect, suspend, wake, check };
}
