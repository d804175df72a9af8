// httpSubscriptionLink: a stream of the hub, as tRPC's client receives it.

import assert from "node:assert/strict";
import test from "node:test";
import { createTRPCClient, httpLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import { EventSource } from "eventsource";
import superjson from "superjson";
import { startHub, until } from "./hub.mjs";

function connect(hub, { query = "", transformer, connectionParams } = {}) {
  const url = hub.url + query;
  return createTRPCClient({
    links: [
      splitLink({
        condition: (operation) => operation.type === "subscription",
        true: httpSubscriptionLink({ url, transformer, EventSource, connectionParams }),
        false: httpLink({ url, transformer }),
      }),
    ],
  });
}

/** Opens a subscription, and records everything that it reports. */
function subscribe(api, input) {
  const seen = { data: [], states: [], errors: [], completed: false };
  const subscription = api.sse.events.subscribe(input, {
    onData: (data) => seen.data.push(data),
    onConnectionStateChange: ({ state }) => seen.states.push(state),
    onError: (error) => seen.errors.push(error),
    onComplete: () => { seen.completed = true; },
  });
  return { seen, stop: () => subscription.unsubscribe() };
}

for (const transformer of [undefined, superjson]) {
  const form = transformer ? "superjson" : "json";
  test(`events with ${form}`, async (t) => {
    const hub = await startHub(t, "--trpc-transformer", form);
    const api = connect(hub, { query: "?user=ada", transformer });
    const { seen, stop } = subscribe(api, { topics: ["news"] });
    await until(() => seen.data.length === 1);
    assert.deepEqual(seen.states, ["connecting", "pending"]);
    const [{ type, data: hello }] = seen.data;
    assert.deepEqual([type, hello.status, hello.userId], ["connection", "connected", "ada"]);

    const { items } = await api.sse.getConnections.query();
    assert.deepEqual(items.map(({ clientId, topics }) => [clientId, topics]), [[hello.clientId, ["news"]]]);
    await api.sse.sendSuccess.mutate({ message: "done", timestamp: 7 });
    const target = { topic: "news" };
    assert.deepEqual(await api.sse.publish.mutate({ target, event: "news", data: ["a", null] }), { matched: 1 });
    await until(() => seen.data.length === 3);
    assert.deepEqual(seen.data.slice(1), [
      { type: "notification", data: { type: "success", message: "done", timestamp: 7 } },
      { type: "news", data: ["a", null] },
    ]);

    // superjson writes null for undefined; the event arrives without the value.
    await api.sse.sendSystemEvent.mutate({ userId: "ada", event: "e", data: undefined });
    await until(() => seen.data.length === 4);
    assert.deepEqual(Object.keys(seen.data[3].data).sort(), ["event", "timestamp"]);

    await api.sse.join.mutate({ clientId: hello.clientId, topics: ["more"] });
    await api.sse.leave.mutate({ clientId: hello.clientId, topics: ["news"] });
    assert.deepEqual(await api.sse.publish.mutate({ target, event: "news", data: 1 }), { matched: 0 });
    stop();
    await until(async () => (await api.sse.getStats.query()).totalConnections === 0);
    assert.deepEqual(seen.errors, []);
  });
}

test("heartbeats are not data", async (t) => {
  // The client considers a stream dead after two and a half of these intervals, which a busy
  // machine must not reach.
  const hub = await startHub(t, "--heartbeat-interval", "2s");
  const api = connect(hub);
  const { seen, stop } = subscribe(api);
  await until(async () => (await api.sse.getStats.query()).heartbeats >= 3);
  assert.equal(seen.data.length, 1);
  assert.deepEqual(seen.states, ["connecting", "pending"], "the client takes it for dead");
  stop();
});

test("a banned client is notified and does not return", async (t) => {
  const hub = await startHub(t);
  const api = connect(hub, { query: "?user=ada" });
  const { seen } = subscribe(api);
  await until(() => seen.data.length === 1);
  const kicked = await api.sse.disconnect.mutate({ target: { user: "ada" }, reason: "cleaning", stayAwayMs: 60000 });
  assert.equal(kicked.matched, 1);
  await until(() => seen.completed);
  const { type, data } = seen.data.at(-1);
  assert.deepEqual([type, data.event, data.data], ["system", "disconnected", { reason: "cleaning", reconnect: false }]);

  const again = subscribe(api);
  await until(() => again.seen.errors.length === 1);
  assert.equal(again.seen.errors[0].data.code, "FORBIDDEN");
});

test("a cut client reconnects automatically", async (t) => {
  const hub = await startHub(t, "--max-age", "1s", "--retry", "100ms");
  const api = connect(hub);
  const { seen, stop } = subscribe(api);
  await until(() => seen.data.filter(({ type }) => type === "connection").length === 3);
  assert.deepEqual(seen.errors, []);
  stop();
});

for (const limit of ["--max-connections", "--max-connections-per-user", "--max-connections-per-address"]) {
  test(`who finds no room by ${limit} comes back by itself`, async (t) => {
    const hub = await startHub(t, limit, "1", "--retry", "100ms");
    const api = connect(hub, { query: "?user=ada" });
    const first = subscribe(api);
    await until(() => first.seen.data.length === 1);
    const second = subscribe(api);
    const refused = async () => {
      const { full, user_limit, address_limit } = (await api.sse.getStats.query()).refused;
      return full + user_limit + address_limit >= 2;
    };
    await until(refused);
    first.stop();
    await until(() => second.seen.data.length === 1);
    assert.deepEqual(second.seen.errors, []);
    second.stop();
  });
}

test("errors are reported", async (t) => {
  const hub = await startHub(t);
  const { seen } = subscribe(connect(hub), { topics: [""] });
  await until(() => seen.errors.length === 1);
  const [error] = seen.errors;
  assert.deepEqual([error.message, error.data.code], ["topics[0]: is empty", "BAD_REQUEST"]);
});

test("connection params in the URL are safe", async (t) => {
  const hub = await startHub(t);
  const { seen, stop } = subscribe(connect(hub, { connectionParams: () => ({ token: "abc" }) }));
  await until(() => seen.data.length === 1);
  stop();
});
