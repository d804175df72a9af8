// One stream for all tabs: the tab that holds a Web Lock has the stream. Other tabs receive its
// events over a BroadcastChannel.
//
// The browser passes the lock to the next tab when its holder closes or crashes. A tab that is
// about to sleep releases the lock. A tab that hangs, or sleeps without notice, does not answer
// when the other tabs ask, and they take the lock from it.

import { createConnection } from "./connection.js";
import { SSEError } from "./error.js";
import { keyOf } from "./key.js";

/** Silence after which a tab asks whether the leader is alive. */
const ASK_MS = 4000;
/**
 * Timeout for the leader's answer. Timers of hidden tabs can be a second late, but messages are
 * not.
 */
const ANSWER_MS = 3000;
/** Maximum number of events that a leader keeps for tabs that were asleep. */
const KEPT = 200;

/**
 * A message between tabs.
 *
 * @typedef {{ from: string } & (
 *   | { say: "ask", after?: string }
 *   | { say: "connect" | "wake" | "stop" }
 *   | { say: "lead" | "state", state: Told }
 *   | { say: "event", event: import("./types.js").Arrival }
 *   | { say: "missed", to: string, events: import("./types.js").Arrival[], isWhole: boolean }
 * )} Word
 */

/**
 * The parts of a snapshot that all tabs share.
 *
 * @typedef {Partial<Omit<import("./types.js").SSESnapshot, "error" | "role">>
 *   & { error?: { code: any, message: string, details: object } | null }} Told
 */

/**
 * Returns the key of a stream: tabs share a stream if their keys are equal. A `query` function does
 * not count, except that it is one. Returns undefined if `query` contains something that cannot be
 * compared by value, and therefore not with another tab.
 *
 * @param {import("./types.js").SSESource} source
 * @param {string} base
 */
export function shareKey({ url = "/api/sse", topics = [], query, user = null }, base) {
  let address = url, isComparable = true;
  try {
    address = new URL(url, base).href;
  } catch {
    // The attempts report an invalid address.
  }
  const asked = typeof query === "function" ? "()" : query ?? null;
  const key = keyOf([address, [...topics].sort(), asked, user], () => { isComparable = false; return ""; });
  return isComparable ? `sse:${key}` : undefined;
}

/**
 * Returns an error in a form that can be sent: without its cause, which can be anything.
 *
 * @param {SSEError} error
 */
const plain = ({ code, message, status, body, retryable, retryAfter }) =>
  ({ code, message, details: { status, body, retryable, retryAfter } });

/**
 * Creates a source that has the stream, or receives events from the tab that has it.
 *
 * @param {string} key The key of the stream.
 * @param {import("./types.js").SSESource} source
 * @param {import("./types.js").Sink} sink
 * @param {import("./types.js").World} world
 * @returns {import("./types.js").Source}
 */
export function createShared(key, source, sink, world) {
  const self = world.random().toString(36).slice(2) + world.now().toString(36);
  let lastEventId = source.lastEventId ?? "";
  let isWanted = false, isSuspended = false, heardAt = 0, askedAt = 0;
  /** @type {string | undefined} */
  let leader;
  /** @type {BroadcastChannel | undefined} */
  let channel;
  /** @type {AbortController | undefined} */
  let queue;
  /** @type {{ connection: import("./types.js").Source, release: () => void } | undefined} */
  let lead;
  /** @type {any} */
  let timer;
  /** @type {Told} */
  let told = {};
  /** @type {import("./types.js").Arrival[]} */
  let kept = [];
  /**
   * Events that arrived while this tab still has to catch up, held back to keep the order.
   *
   * @type {import("./types.js").Arrival[] | undefined}
   */
  let early;

  /** @param {any} word */
  const post = (word) => channel?.postMessage({ ...word, from: self });

  // Reports of the stream, in this tab and in other tabs.

  /** @param {Partial<import("./types.js").SSESnapshot>} change */
  const changed = ({ error, ...change }) => {
    told = { ...told, ...change, ...(error !== undefined && { error: error && plain(error) }) };
    lastEventId = change.lastEventId ?? lastEventId;
    sink.change({ ...change, ...(error !== undefined && { error }) });
  };

  /** @param {import("./types.js").Arrival} event */
  const pass = (event) => {
    kept.push(event);
    if (kept.length > KEPT) kept.shift();
    sink.event(event);
  };

  /** @type {import("./types.js").Sink} */
  const leading = {
    change: (change) => {
      // The connection is being released.
      if (!lead) return;
      changed(change);
      // Ids arrive together with their events.
      if (Object.keys(change).join() !== "lastEventId") post({ say: "state", state: told });
    },
    event: (event) => {
      post({ say: "event", event });
      pass(event);
    },
    error: sink.error,
  };

  // Becoming the leader, and ceasing to be the leader.

  /** @param {boolean} [isTaken] */
  const stand = (isTaken) => {
    queue?.abort();
    const mine = (queue = new AbortController());
    const options = isTaken ? { steal: true } : { signal: mine.signal };
    world.locks?.request(key, options, () => new Promise((release) => {
      if (mine !== queue || mine.signal.aborted) return release(undefined);
      begin(() => release(undefined));
    })).catch((error) => {
      if (mine !== queue || mine.signal.aborted) return;
      if (error.name === "AbortError") return dethroned();
      // Locks are not available, as in some private modes: this tab has a stream of its own.
      channel?.close();
      channel = undefined;
      begin(() => {});
    });
  };

  /** @param {() => void} release */
  const begin = (release) => {
    world.clearTimeout(timer);
    leader = self;
    // The server sends these events again.
    early = undefined;
    const connection = createConnection({ ...source, lastEventId }, leading, world);
    lead = { connection, release };
    sink.change({ role: channel ? "leader" : "alone" });
    post({ say: "lead", state: told });
    connection.connect();
  };

  /** Handles the loss of the lock: another tab took it, because this tab did not answer. */
  const dethroned = () => {
    abdicate();
    join();
  };

  const abdicate = () => {
    const former = lead;
    lead = leader = undefined;
    former?.connection.suspend();
    former?.release();
  };

  const join = () => {
    sink.change({ role: "follower" });
    if (told.state !== "open") changed({ state: "connecting" });
    stand();
    if (lastEventId) early = [];
    ask();
  };

  // Being a follower.

  const ask = () => {
    askedAt = world.now();
    post({ say: "ask", ...(early && { after: lastEventId }) });
    look(ANSWER_MS);
  };

  /** @param {number} milliseconds */
  const look = (milliseconds) => {
    world.clearTimeout(timer);
    timer = world.setTimeout(() => {
      const now = world.now();
      if (heardAt < askedAt && now - askedAt >= ANSWER_MS) return stand(true);
      if (now - heardAt >= ASK_MS) return ask();
      look(ASK_MS + world.random() * ASK_MS / 2);
    }, milliseconds);
  };

  /** @param {MessageEvent<Word>} message */
  const hear = ({ data: word }) => {
    if (word.say === "stop") return stopped();
    if (lead) return answer(word);
    if (word.say === "lead") leader = word.from;
    // Messages that only a leader sends.
    else if (word.say === "state" || word.say === "event" || word.say === "missed") leader ??= word.from;
    if (word.from !== leader) return;
    heardAt = world.now();
    if (word.say === "event") early ? early.push(word.event) : follow(word.event);
    else if (word.say === "missed" && word.to === self) caughtUp(word);
    else if (word.say === "state" || word.say === "lead") followed(word.state);
    // The tab that was asked is no longer the leader.
    if (word.say === "lead" && early) ask();
  };

  /** @param {import("./types.js").Arrival} event */
  const follow = (event) => {
    if (event.lastEventId !== lastEventId) changed({ lastEventId: event.lastEventId });
    pass(event);
  };

  /** @param {Told} state */
  const followed = ({ error, lastEventId: theirs, ...change }) => {
    const rebuilt = error && new SSEError(error.code, error.message, error.details);
    // A new tab begins at the leader's position; an earlier tab keeps its own position until it
    // has caught up.
    const start = lastEventId ? {} : { lastEventId: theirs };
    const isNews = rebuilt && rebuilt.message !== told.error?.message;
    changed({ ...change, ...start, ...(error !== undefined && { error: rebuilt }) });
    if (isNews) sink.error(rebuilt);
  };

  /** @param {Extract<Word, { say: "missed" }>} word */
  const caughtUp = ({ events, isWhole }) => {
    if (!isWhole) {
      const data = { reason: "trimmed", dropped: null, from: lastEventId, to: events[0]?.lastEventId ?? null };
      const text = JSON.stringify({ event: "gap", data, timestamp: world.now() });
      sink.event({ type: "system", text, lastEventId, timestamp: world.now() });
    }
    const later = early ?? [];
    early = undefined;
    const known = new Set(events.map((event) => event.id));
    [...events, ...later.filter((event) => !event.id || !known.has(event.id))].forEach(follow);
  };

  // Being the leader.

  /** @param {Word} word */
  const answer = (word) => {
    if (word.say === "connect") lead?.connection.connect();
    if (word.say === "wake") lead?.connection.wake();
    if (word.say !== "ask") return;
    // This tab's timers may sleep while another tab is visible.
    lead?.connection.check();
    if (word.after) {
      const place = kept.findLastIndex((event) => event.lastEventId === word.after);
      const isWhole = place >= 0 || word.after === told.lastEventId;
      post({ say: "missed", to: word.from, events: isWhole && place < 0 ? [] : kept.slice(place + 1), isWhole });
    }
    post({ say: "state", state: told });
  };

  // Calls of the tab itself.

  const open = () => {
    const { BroadcastChannel } = world;
    channel = BroadcastChannel && new BroadcastChannel(key);
    if (channel) channel.onmessage = hear;
    isSuspended = false;
    join();
  };

  /** @param {import("./types.js").SSEState} state */
  const letGo = (state) => {
    isWanted = state === "waiting";
    world.clearTimeout(timer);
    queue?.abort();
    queue = early = undefined;
    abdicate();
    channel?.close();
    channel = undefined;
    changed({ state, nextRetryAt: null, ...(state === "closed" && { error: null }) });
  };

  const stopped = () => {
    letGo("closed");
    kept = [];
    changed({ lastEventId: "" });
  };

  return {
    connect: () => {
      if (!isWanted || isSuspended) {
        isWanted = true;
        open();
      } else if (lead) {
        lead.connection.connect();
      } else {
        post({ say: "connect" });
      }
    },
    disconnect: () => letGo("closed"),
    suspend: () => {
      if (!isWanted || isSuspended) return;
      letGo("waiting");
      isSuspended = true;
    },
    wake: () => {
      if (isWanted && isSuspended) open();
      else if (lead) lead.connection.wake();
      else if (isWanted) post({ say: "wake" });
    },
    check: () => lead?.connection.check(),
    isWanted: () => isWanted,
    stopAll: () => {
      post({ say: "stop" });
      stopped();
    },
  };
}
