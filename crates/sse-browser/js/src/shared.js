// One stream for all tabs: the tab that holds a Web Lock has it, the others hear from it over a
// BroadcastChannel.
//
// The browser gives the lock to the next tab when its holder closes or crashes. A tab that is about
// to sleep lets go of it. One that hangs, or sleeps without having been told, does not answer when
// the others ask, and the lock is taken from it.

import { createConnection } from "./connection.js";
import { SSEError } from "./error.js";

/** Silence after which a tab asks whether the leader lives. */
const ASK_MS = 4000;
/** How long the leader has to answer. Hidden tabs may take a second for a timer, but none for a message. */
const ANSWER_MS = 3000;
/** How many events a leader keeps for tabs that were away. */
const KEPT = 200;

/**
 * What tabs say to each other.
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
 * A snapshot without what each tab has of its own.
 *
 * @typedef {Partial<Omit<import("./types.js").SSESnapshot, "error" | "role">> & { error?: { code: any, message: string, details: object } | null }} Told
 */

/**
 * What tabs must have in common to share a stream.
 *
 * @param {import("./types.js").SSESource} source
 * @param {string} base
 */
export function shareKey({ url = "/api/sse", topics = [], query, user = null }, base) {
  const asked = typeof query === "function" ? null : query;
  return "sse:" + JSON.stringify([new URL(url, base).href, [...topics].sort(), asked, user]);
}

/**
 * An error as it can be sent: its cause may be anything.
 *
 * @param {SSEError} error
 */
const plain = ({ code, message, status, body, retryable, retryAfter }) =>
  ({ code, message, details: { status, body, retryable, retryAfter } });

/**
 * Makes a source that has the stream, or hears from the tab that has it.
 *
 * @param {import("./types.js").SSESource} source
 * @param {import("./types.js").Sink} sink
 * @param {import("./types.js").World} world
 * @returns {import("./types.js").Source}
 */
export function createShared(source, sink, world) {
  const key = shareKey(source, world.base);
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
   * What came while this tab still has to catch up; it stays in order that way.
   *
   * @type {import("./types.js").Arrival[] | undefined}
   */
  let early;

  /** @param {any} word */
  const post = (word) => channel?.postMessage({ ...word, from: self });

  // What the stream tells, here and in other tabs.

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
      // It is being let go of.
      if (!lead) return;
      changed(change);
      // Ids come with their events.
      if (Object.keys(change).join() !== "lastEventId") post({ say: "state", state: told });
    },
    event: (event) => {
      post({ say: "event", event });
      pass(event);
    },
    error: sink.error,
  };

  // Becoming the leader, and not being it any more.

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
      // Locks are not to be had here, as in some private modes: this tab has a stream of its own.
      channel?.close();
      channel = undefined;
      begin(() => {});
    });
  };

  /** @param {() => void} release */
  const begin = (release) => {
    world.clearTimeout(timer);
    leader = self;
    // The server gives them again.
    early = undefined;
    const connection = createConnection({ ...source, lastEventId }, leading, world);
    lead = { connection, release };
    sink.change({ role: channel ? "leader" : "alone" });
    post({ say: "lead", state: told });
    connection.connect();
  };

  /** Another tab took the lock, since this one did not answer. */
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
    // What only a leader says.
    else if (word.say === "state" || word.say === "event" || word.say === "missed") leader ??= word.from;
    if (word.from !== leader) return;
    heardAt = world.now();
    if (word.say === "event") early ? early.push(word.event) : follow(word.event);
    else if (word.say === "missed" && word.to === self) caughtUp(word);
    else if (word.say === "state" || word.say === "lead") followed(word.state);
    // The one that was asked is gone.
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
    // A newcomer begins where the leader stands; who was here before keeps its own place until it
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
    // This tab's timers may sleep while another is being looked at.
    lead?.connection.check();
    if (word.after) {
      const place = kept.findLastIndex((event) => event.lastEventId === word.after);
      const isWhole = place >= 0 || word.after === told.lastEventId;
      post({ say: "missed", to: word.from, events: isWhole && place < 0 ? [] : kept.slice(place + 1), isWhole });
    }
    post({ say: "state", state: told });
  };

  // What the tab itself wants.

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
    stopAll: () => {
      post({ say: "stop" });
      stopped();
    },
  };
}
