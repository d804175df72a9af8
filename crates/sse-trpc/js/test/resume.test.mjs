// A subscription that loses its connection, on a hub with an event log.

import assert from "node:assert/strict";
import test from "node:test";
import { createTRPCClient, httpLink, httpSubscriptionLink } from "@trpc/client";
import { EventSource } from "eventsource";
import superjson from "superjson";
import { startHub, until } from "./hub.mjs";
import { startProxy } from "./proxy.mjs";

/** Starts a hub with a log, a proxy, and a subscription of ada's to `news` through the proxy. */
async function subscribed(t, { transformer, options = [] } = {}) {
  const hub = await startHub(t, "--backplane", "memory", "--retry", "50ms", "--trpc-transformer",
    transformer ? "superjson" : "json", ...options);
  const proxy = await startProxy(t, hub.address);
  const url = `${proxy.address}/api/trpc?user=ada`;
  const pings = [];
  class Listening extends EventSource {
    constructor(...args) {
      super(...args);
      this.addEventListener("ping", ({ lastEventId }) => pings.push(lastEventId));
    }
  }
  const client = createTRPCClient({
    links: [httpSubscriptionLink({ url, transformer, EventSource: Listening })],
  });
  const api = createTRPCClient({ links: [httpLink({ url: hub.url, transformer })] });
  const seen = { data: [], errors: [] };
  const subscription = client.sse.events.subscribe({ topics: ["news"] }, {
    onData: (data) => seen.data.push(data),
    onError: (error) => seen.errors.push(error),
  });
  t.after(() => subscription.unsubscribe());
  const of = (type) => seen.data.filter(({ data }) => data.type === type);
  await until(() => of("connection").length === 1);
  let last = 0;
  /** Publishes a number of events, in turn to the topic, the user and all. */
  const publish = async (count) => {
    for (const end = last + count; last < end;) {
      last += 1;
      const target = [{ topic: "news" }, { user: "ada" }, "all"][last % 3];
      await api.sse.publish.mutate({ target, event: "number", data: last });
      await api.sse.publish.mutate({ target: { user: "ben" }, event: "number", data: -last });
    }
  };
  const arrived = () => until(() => of("number").length >= last);
  const numbers = () => Array.from({ length: last }, (_, index) => index + 1);
  return { api, proxy, seen, pings, of, publish, arrived, numbers };
}

/** Checks that every event arrived once, in order, with its own id, and without a reported gap. */
function assertComplete({ seen, of, numbers }) {
  assert.deepEqual(of("number").map(({ data }) => data.data), numbers());
  assert.equal(new Set(of("number").map(({ id }) => id)).size, numbers().length);
  assert.deepEqual(of("system"), []);
  assert.deepEqual(seen.errors, []);
}

for (const transformer of [undefined, superjson]) {
  test(`what is missed during cuts arrives once, in order, with ${transformer ? "superjson" : "json"}`, async (t) => {
    const it = await subscribed(t, { transformer });
    const { api, proxy, of, publish, arrived } = it;
    await publish(3);
    await arrived();
    for (let round = 1; round <= 3; round += 1) {
      proxy.cut();
      await until(async () => (await api.sse.getStats.query()).totalConnections === 0);
      await publish(4);
      proxy.heal();
      await arrived();
      await publish(2);
      await arrived();
    }
    assertComplete(it);
    const hellos = of("connection").map(({ data }) => data.data.resumed);
    assert.deepEqual(hellos, [false, true, true, true]);
    assert.equal((await api.sse.getStats.query()).log.resumed, 3);
  });
}

test("a reconnecting client sends the id in its input", async (t) => {
  const it = await subscribed(t, { options: ["--heartbeat-interval", "200ms"] });
  const { proxy, of, publish, arrived } = it;
  await publish(2);
  await arrived();
  proxy.freeze();
  await publish(4);
  await arrived();
  assertComplete(it);
  assert.equal(of("connection").at(-1).data.data.resumed, true);
});

test("a quiet client resumes by its pings after a trim", async (t) => {
  const options = ["--heartbeat-interval", "100ms", "--log-entries", "5"];
  const it = await subscribed(t, { options });
  const { api, proxy, pings, of, publish, arrived } = it;
  for (let data = 0; data < 20; data += 1) {
    await api.sse.publish.mutate({ target: { user: "ben" }, event: "number", data });
  }
  const { head } = (await api.sse.getStats.query()).log;
  await until(() => pings.at(-1) === head);
  proxy.cut();
  await until(async () => (await api.sse.getStats.query()).totalConnections === 0);
  await publish(1);
  proxy.heal();
  await arrived();
  assertComplete(it);
  assert.deepEqual(of("connection").map(({ data }) => data.data.resumed), [false, true]);
});

test("a retry with the same key is one event", async (t) => {
  const { api, seen } = await subscribed(t);
  const input = { target: "all", event: "paid", data: 1, key: "invoice 7" };
  const first = await api.sse.publish.mutate(input);
  const again = await api.sse.publish.mutate(input);
  assert.deepEqual([first.matched, first.duplicate], [1, undefined]);
  assert.deepEqual(again, { matched: 0, id: first.id, duplicate: true });
  await api.sse.publish.mutate({ target: "all", event: "end", data: 1, ephemeral: true });
  // An unlogged event has no id, so it is not tracked.
  await until(() => seen.data.at(-1)?.type === "end");
  assert.equal(seen.data.filter(({ data }) => data?.type === "paid").length, 1);
});
