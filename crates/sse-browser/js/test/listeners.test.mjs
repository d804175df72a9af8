// Tests that a client removes its listeners from what outlives it, and adds them again.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import test from "node:test";
import { createSSE } from "../src/client.js";
import { createHooks } from "../src/hooks.js";
import { createNotifications } from "../src/notifications.js";
import { createClient } from "./support/client.mjs";
import { createReact } from "./support/react.mjs";
import { hello, system } from "./support/server.mjs";
import { createWorld, settle } from "./support/world.mjs";

const PAGE = { window: ["pagehide", "pageshow", "online", "focus"], document: ["freeze", "resume", "visibilitychange"] };

/** An environment with tabs; `channels` has the open ones. */
function createTabs() {
  const channels = new Set();
  class BroadcastChannel {
    constructor() { channels.add(this); }
    postMessage() {}
    close() { channels.delete(this); }
  }
  const locks = { request: (name, options, run) => Promise.resolve().then(run) };
  return { channels, part: { BroadcastChannel, locks } };
}

/** Counts the listeners on everything that outlives a client. */
function count({ world, signal, channels }) {
  const listeners = Object.entries(PAGE).flatMap(([target, types]) => types.map((type) => getEventListeners(world[target], type).length));
  return [...listeners, getEventListeners(signal, "abort").length, channels?.size ?? 1];
}

const ALL = Array(9).fill(1), NONE = Array(9).fill(0);

/** Each state, the steps that lead to it, and whether the client listens in it. */
const STATES = {
  "never connected": [false],
  "disconnected before it connected": [false, ({ client }) => client.disconnect()],
  connecting: [true, ({ client }) => client.connect()],
  open: [true, ({ client }) => client.connect(), ({ world }) => world.last.open(hello())],
  "open, connected twice": [true, ({ client }) => client.connect(), ({ world }) => world.last.open(hello()), ({ client }) => client.connect()],
  waiting: [true, ({ client }) => client.connect(), ({ world }) => world.last.cut()],
  asleep: [true, ({ client }) => client.connect(), ({ world }) => world.fire(world.window, "pagehide")],
  exhausted: [true, ({ client }) => client.connect(), ({ world }) => world.last.cut(), ({ world }) => world.pass(5000), ({ world }) => world.last.cut()],
  disconnected: [false, ({ client }) => client.connect(), ({ world }) => world.last.open(hello()), ({ client }) => client.disconnect()],
  "disconnected while waiting": [false, ({ client }) => client.connect(), ({ world }) => world.last.cut(), ({ client }) => client.disconnect()],
  "disconnected everywhere": [false, ({ client }) => client.connect(), ({ client }) => client.disconnect({ everywhere: true })],
  aborted: [false, ({ client }) => client.connect(), ({ abort }) => abort.abort()],
  "failed for good": [false, ({ client }) => client.connect(), ({ world }) => world.last.answer(403)],
  "sent away": [false, ({ client }) => client.connect(), ({ world }) => world.last.answer(204)],
  banned: [false, ({ client }) => client.connect(), ({ world }) => world.last.open(system("disconnected", { reason: "spam", reconnect: false }))],
};

const HOLDING = ["failed for good", "sent away", "banned"];

for (const [name, [isListening, ...steps]] of Object.entries(STATES)) {
  const holds = HOLDING.includes(name);
  test(`listeners: ${name}`, async () => {
    for (const isShared of [false, true]) {
      const { channels, part } = isShared ? createTabs() : {};
      const abort = new AbortController();
      const all = createClient({ signal: abort.signal, maxReconnectAttempts: 1, ...(isShared && { user: "ada" }) }, part);
      const it = { ...all, abort, signal: abort.signal, channels };
      // A shared client that its server ended keeps its lock, and releases it when the page sleeps.
      const expected = isListening || (isShared && holds) ? ALL : NONE;
      const { timers } = it.world;
      for (const step of steps) {
        await step(it);
        await it.world.pass(0);
      }
      const [listeners, open] = [count(it).slice(0, -1), channels?.size ?? 0];
      assert.deepEqual([...listeners, open], [...expected.slice(0, -1), isShared && name !== "asleep" ? expected.at(-1) : 0]);
      if (!isListening) assert.equal(timers.size, 0);
      if (abort.signal.aborted) continue;

      // The next connection adds them again, and its end removes them.
      it.client.disconnect();
      assert.deepEqual(count(it).slice(0, 8), NONE.slice(0, 8));
      assert.equal(channels?.size ?? 0, 0);
      it.client.connect();
      await it.world.pass(0);
      await it.world.last.open(hello());
      assert.deepEqual(count(it), ALL);
      await it.world.fire(it.world.window, "pagehide");
      assert.equal(it.is().state, "waiting");
      abort.abort();
      assert.equal(it.is().state, "closed");
      assert.deepEqual(count(it), channels ? NONE : [...NONE.slice(0, 8), 1]);
    }
  });
}

test("a thousand clients leave nothing behind", async () => {
  const abort = new AbortController(), world = createWorld();
  for (let index = 0; index < 1000; index++) {
    const client = createSSE({ signal: abort.signal }, world);
    client.connect();
    client.disconnect();
    createSSE({ signal: abort.signal }, world);
  }
  await settle();
  assert.deepEqual([...count({ world, signal: abort.signal, channels: new Set() }), world.timers.size], [...NONE, 0]);
});

test("stopped notifications leave their client", () => {
  const listeners = new Set();
  const { stop } = createNotifications({ on: (type, listener) => { listeners.add(listener); return () => listeners.delete(listener); } });
  assert.equal(listeners.size, 1);
  stop();
  assert.equal(listeners.size, 0);
});

/** Renders `useSSE` with a stream that answers at once. */
function renderHook(options) {
  const { React, render } = createReact();
  const { useSSE } = createHooks(React);
  const requests = [];
  const fetch = (url, init) => { requests.push(init.signal); return new Promise(() => {}); };
  let sse;
  const unmount = render(() => (sse = useSSE({ url: "http://app.test/", fetch, key: {}, ...options() })));
  return { requests, unmount, sse: () => unmount.update() && sse };
}

test("the hook's signal disconnects its component", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let abort = new AbortController();
  const key = {};
  const { requests, unmount, sse } = renderHook(() => ({ signal: abort.signal, key }));
  await settle();
  assert.deepEqual([requests.length, sse().isConnecting, getEventListeners(abort.signal, "abort").length], [1, true, 1]);

  const former = abort;
  abort = new AbortController();
  assert.equal(sse().isConnecting, true, "a new signal does not reconnect");
  assert.deepEqual([getEventListeners(former.signal, "abort").length, getEventListeners(abort.signal, "abort").length], [0, 1]);
  abort.abort();
  t.mock.timers.tick(1);
  assert.deepEqual([sse().isConnecting, requests[0].aborted], [false, true]);
  sse().connect();
  await settle();
  assert.equal(requests.length, 1);
  unmount();
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
});

test("a hook's signal that is replaced by an aborted one", async () => {
  let { signal } = new AbortController();
  const key = {};
  const { unmount, sse } = renderHook(() => ({ signal, key }));
  assert.equal(sse().isConnecting, true);
  signal = AbortSignal.abort();
  sse();
  assert.equal(sse().isConnecting, false);
  unmount();
});

test("an aborted signal keeps a component unconnected", async () => {
  const key = {};
  const { requests, unmount, sse } = renderHook(() => ({ signal: AbortSignal.abort(), key }));
  await settle();
  assert.deepEqual([requests.length, sse().isConnecting], [0, false]);
  unmount();
});

test("unmounted components leave a client of the app's own", () => {
  let listeners = 0;
  const add = () => { listeners++; return () => { listeners--; }; };
  const { getSnapshot } = createSSE();
  const client = { listen: add, subscribe: (listener) => { listener(getSnapshot()); return add(); }, getSnapshot, connect: () => {}, disconnect: () => {} };
  const { signal } = new AbortController();
  const { unmount } = renderHook(() => ({ client, signal }));
  assert.deepEqual([listeners, getEventListeners(signal, "abort").length], [2, 0]);
  unmount();
  assert.equal(listeners, 0);
});
