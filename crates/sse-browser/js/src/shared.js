// One stream for all tabs: the tab that holds a Web Lock has the stream. Other tabs receive its
// events over a BroadcastChannel.
//
// The browser passes the lock to the next tab when its holder closes or crashes. A tab that is
// about to sleep releases the lock. A tab that hangs, or sleeps without notice, does not answer
// when the other tabs ask, and they take the lock from it.
//
// Every tab has a position of its own in the stream. A tab that joins asks the leader for the
// events after its position. If the leader's memory does not reach back to that position, only the
// server knows what the tab missed: the tab opens a stream of its own, until both streams meet.

import { createConnection } from "./connection.js";
import { SSEError } from "./error.js";
import { keyOf } from "./key.js";
import { createMemory } from "./memory.js";

/** Silence after which a tab asks whether the leader is alive. */
const ASK_MS = 4000;
/**
 * Timeout for the leader's answer. Timers of hidden tabs can be a second late, but messages are
 * not.
 */
const ANSWER_MS = 3000;
/** Maximum number of the leader's events that wait while a tab still catches up. */
const EARLY = 1000;

/**
 * A message between tabs.
 *
 * @typedef {{ from: string } & (
 *   | { say: "ask", after?: string, isNew?: boolean }
 *   | { say: "connect" | "wake" | "stop" }
 *   | { say: "lead" | "state", state: Told, start: string }
 *   | { say: "event", event: import("./types.js").Arrival, number: number }
 *   | { say: "missed", to: string, after: string, end: string, number: number,
 *     events?: import("./types.js").Arrival[] }
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
 * @param {import("./types.js").SSESource & { isNewTab?: boolean }} source
 * @param {import("./types.js").Sink} sink
 * @param {import("./types.js").World} world
 * @returns {import("./types.js").Source}
 */
export function createShared(key, source, sink, world) {
  const self = world.random().toString(36).slice(2) + world.now().toString(36);
  let lastEventId = source.lastEventId ?? "";
  /** `true` for a new tab, whose position is the one that all tabs store. */
  let isNew = source.isNewTab ?? false;
  /** The position at which the first tab began. */
  let start = lastEventId;
  /** Number of the leader's events. */
  let number = 0;
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
  const memory = createMemory();
  /**
   * Events of the leader that arrived while this tab still has to catch up.
   *
   * @type {{ event: import("./types.js").Arrival, number: number }[] | undefined}
   */
  let early;
  /**
   * The stream of its own from which this tab catches up.
   *
   * @type {import("./types.js").Source | undefined}
   */
  let own;
  /** What that stream has brought. @type {Set<string>} */
  let brought = new Set();

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
    memory.add(event);
    sink.event(event);
  };

  /** @type {import("./types.js").Sink} */
  const leading = {
    change: (change) => {
      // The connection is being released.
      if (!lead) return;
      changed(change);
      // Ids arrive together with their events.
      if (Object.keys(change).join() !== "lastEventId") post({ say: "state", state: told, start });
    },
    event: (event) => {
      post({ say: "event", event, number: ++number });
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
    endCatchUp();
    isNew = false;
    const connection = createConnection({ ...source, lastEventId }, leading, world);
    lead = { connection, release };
    sink.change({ role: channel ? "leader" : "alone" });
    post({ say: "lead", state: told, start });
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
    if (memory.end() !== lastEventId) memory.begin(lastEventId);
    if (lastEventId) early = [];
    ask();
  };

  // Being a follower.

  const ask = () => {
    askedAt = world.now();
    post({ say: "ask", ...(early && !own && { after: lastEventId, isNew }) });
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
    if (word.say === "event") early ? tooEarly(word) : follow(word.event);
    else if (word.say === "missed" && word.to === self) caughtUp(word);
    else if (word.say === "state" || word.say === "lead") followed(word);
    // The tab that was asked is no longer the leader. The new one has heard these events too.
    if (word.say === "lead" && early && !own) {
      early = [];
      ask();
    }
  };

  /** @param {import("./types.js").Arrival} event */
  const follow = (event) => {
    if (event.lastEventId !== lastEventId) changed({ lastEventId: event.lastEventId });
    pass(event);
  };

  /** @param {Extract<Word, { say: "lead" | "state" }>} word */
  const followed = ({ state: { error, lastEventId: theirs, ...change }, start: first }) => {
    start = first;
    const rebuilt = error && new SSEError(error.code, error.message, error.details);
    // A new tab begins at the leader's position; an earlier tab keeps its own position until it
    // has caught up.
    const place = lastEventId ? {} : { lastEventId: theirs };
    const isNews = rebuilt && rebuilt.message !== told.error?.message;
    changed({ ...change, ...place, ...(error !== undefined && { error: rebuilt }) });
    if (memory.end() === "" && lastEventId) memory.begin(lastEventId);
    if (isNews) sink.error(rebuilt);
  };

  // Catching up.

  /** @param {Extract<Word, { say: "missed" }>} word */
  const caughtUp = ({ after, end, events, number }) => {
    if (!early || own) return;
    const wasNew = isNew;
    isNew = false;
    if (after !== lastEventId) {
      changed({ lastEventId: after });
      memory.begin(after);
    }
    // A new tab has loaded the state of its page just now, however long ago the first tab began.
    if (!events) return wasNew ? giveUp(end) : catchUp();
    const later = endCatchUp().filter((one) => one.number > number);
    [...events, ...later.map(({ event }) => event)].forEach(follow);
  };

  /**
   * Identifies an event or a heartbeat among those of two streams.
   *
   * @param {import("./types.js").Arrival} event
   */
  const name = ({ type, id }) => id && `${type} ${id}`;

  /**
   * Catches up from the server. This tab's own stream and the leader's bring the same events in the
   * same order. So after an event or a heartbeat that both have brought, the leader's stream has
   * all others.
   */
  const catchUp = () => {
    brought = new Set();
    own = createConnection({ ...source, lastEventId }, {
      change: ({ state }) => { if (state === "failed" || state === "closed") giveUp(); },
      event: (event) => {
        if (event.type === "connection") return;
        if (event.type !== "heartbeat") follow(event);
        const mine = name(event);
        if (!mine || !own) return;
        brought.add(mine);
        const at = early?.findIndex((one) => name(one.event) === mine) ?? -1;
        if (at >= 0) endCatchUp().slice(at + 1).forEach(({ event }) => follow(event));
      },
      error: () => {},
    }, world);
    own.connect();
  };

  /**
   * Holds back an event of the leader, to keep the order.
   *
   * @param {Extract<Word, { say: "event" }>} word
   */
  const tooEarly = (word) => {
    if (own && brought.has(name(word.event) ?? "")) return void endCatchUp();
    early?.push(word);
    if (early && early.length > EARLY) giveUp();
  };

  /**
   * Continues with the leader's events, after a gap.
   *
   * @param {string} [end] The leader's position.
   */
  const giveUp = (end) => {
    if (!early) return;
    const later = endCatchUp(), to = later[0]?.event.lastEventId ?? end ?? null;
    const data = { reason: "trimmed", dropped: null, from: lastEventId, to };
    const text = JSON.stringify({ event: "gap", data, timestamp: world.now() });
    if (end) changed({ lastEventId: end });
    memory.begin(lastEventId);
    sink.event({ type: "system", text, lastEventId, timestamp: world.now() });
    later.forEach(({ event }) => follow(event));
  };

  /** Ends catching up. Returns the events that were held back. */
  const endCatchUp = () => {
    const later = early ?? [], former = own;
    early = own = undefined;
    former?.disconnect();
    return later;
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
      // The position that all tabs store has moved on with this tab.
      const after = (word.isNew && start) || word.after;
      post({ say: "missed", to: word.from, after, end: lastEventId, number, events: memory.after(after) });
    }
    post({ say: "state", state: told, start });
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
    queue = undefined;
    endCatchUp();
    abdicate();
    channel?.close();
    channel = undefined;
    changed({ state, nextRetryAt: null, ...(state === "closed" && { error: null }) });
  };

  const stopped = () => {
    letGo("closed");
    memory.begin((start = ""));
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
