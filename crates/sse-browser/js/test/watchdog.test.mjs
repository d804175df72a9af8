// Tests of silence, and of pages that sleep.

import assert from "node:assert/strict";
import test from "node:test";
import { createClient, openClient } from "./support/client.mjs";
import { hello } from "./support/server.mjs";

test("silence for 2.5 announced intervals ends a stream", async () => {
  const { world, is, heard } = await openClient({}, {}, hello({ heartbeatMs: 10_000 }));
  await world.pass(24_000);
  await world.last.send(":\n");
  await world.pass(24_000);
  assert.equal(is().state, "open", "any bytes count, including a comment");
  const stream = world.last;
  await world.pass(1000);
  assert.deepEqual([is().state, is().error.code, stream.isAborted], ["waiting", "timeout", true]);
  assert.equal(heard.at(-1), "error timeout");
});

test("the interval is a header, an option, or absent", async () => {
  const byHeader = await openClient({}, {}, "", { "x-sse-heartbeat-ms": "1000" });
  await byHeader.world.pass(2500);
  assert.equal(byHeader.is().state, "waiting");
  const byOption = await openClient({ heartbeatTimeout: 700 }, {}, hello({ heartbeatMs: 10_000 }));
  await byOption.world.pass(700);
  assert.equal(byOption.is().state, "waiting");
  for (const options of [{}, { heartbeatTimeout: 0 }]) {
    const none = await openClient(options, {}, hello({ heartbeatMs: options.heartbeatTimeout === 0 ? 1000 : null }));
    await none.world.pass(10 ** 7);
    assert.equal(none.is().state, "open");
  }
});

test("gives up on a silent server after connectTimeout", async () => {
  const { world, client, is } = createClient();
  client.connect();
  await world.pass(20_000);
  assert.deepEqual([is().state, is().error.code, world.last.isAborted], ["waiting", "timeout", true]);
  const patient = createClient({ connectTimeout: 0 });
  patient.client.connect();
  await patient.world.pass(10 ** 6);
  assert.equal(patient.is().state, "connecting");
});

for (const [target, type] of [["document", "visibilitychange"], ["window", "pageshow"], ["window", "online"], ["window", "focus"]]) {
  test(`${type} finds a stream that died unseen, and does not count it`, async () => {
    const { world, is } = await openClient({}, {}, hello({ heartbeatMs: 10_000 }));
    world.freeze(26_000);
    await world.fire(world[target], type);
    await world.pass(0);
    assert.deepEqual([is().state, is().attempt, world.exchanges.length], ["connecting", 0, 2]);
  });
}

test("waking ends a wait at most once a second", async () => {
  const { world, is } = await openClient({}, { random: 1 });
  await world.pass(2000);
  await world.last.cut();
  await world.fire(world.window, "focus");
  assert.deepEqual([is().state, world.exchanges.length], ["connecting", 2]);
  await world.last.cut();
  await world.fire(world.window, "focus");
  assert.deepEqual([is().state, world.exchanges.length, is().nextRetryAt - world.now()], ["waiting", 2, 1000]);
  await world.pass(1000);
  assert.equal(world.exchanges.length, 3);
});

test("a hidden tab keeps its stream by default", async () => {
  const keeps = await openClient();
  keeps.world.document.visibilityState = "hidden";
  await keeps.world.fire(keeps.world.document, "visibilitychange");
  assert.equal(keeps.is().state, "open");
  const pauses = await openClient({ pauseWhenHidden: true });
  pauses.world.document.visibilityState = "hidden";
  await pauses.world.fire(pauses.world.document, "visibilitychange");
  assert.deepEqual([pauses.is().state, pauses.world.last.isAborted], ["waiting", true]);
  pauses.world.document.visibilityState = "visible";
  await pauses.world.fire(pauses.world.document, "visibilitychange");
  assert.deepEqual([pauses.is().state, pauses.world.exchanges.length], ["connecting", 2]);
});

test("a cached or frozen page disconnects and returns", async () => {
  for (const [sleepAt, sleep, wakeAt, wake] of [["window", "pagehide", "window", "pageshow"], ["document", "freeze", "document", "resume"]]) {
    const { world, is } = await openClient({}, {}, "id: 5\ndata: x\n\n");
    await world.fire(world[sleepAt], sleep);
    assert.deepEqual([is().state, is().nextRetryAt, world.last.isAborted, world.timers.size], ["waiting", null, true, 0]);
    await world.fire(world[wakeAt], wake);
    assert.equal(world.last.headers.get("last-event-id"), "5");
    await world.last.open();
    assert.equal(is().state, "open");
  }
});

test("irrelevant pageshow events are ignored", async () => {
  const { world, client, is } = await openClient();
  await world.fire(world.window, "pageshow");
  assert.equal(world.exchanges.length, 1);
  client.disconnect();
  await world.fire(world.window, "pageshow");
  assert.deepEqual([is().state, world.exchanges.length], ["closed", 1]);
});
