// Tests of stopping and retrying.

import assert from "node:assert/strict";
import test from "node:test";
import { delay } from "../src/delay.js";
import { retryAfter } from "../src/error.js";
import { createClient, openClient } from "./support/client.mjs";
import { hello, system } from "./support/server.mjs";

const event = (data, id) => `${id ? `id: ${id}\n` : ""}data: ${JSON.stringify(data)}\n\n`;
const waitOf = ({ world, is }) => is().nextRetryAt - world.now();

test("delays have full jitter, a floor and a ceiling", () => {
  const wait = (more) => delay({ failures: 1, interval: 3000, random: () => 1, ...more });
  assert.deepEqual([1, 2, 3, 4, 5, 9].map((failures) => wait({ failures })), [3000, 6000, 12_000, 24_000, 30_000, 30_000]);
  assert.equal(wait({ failures: 3, random: () => 0.25 }), 3000);
  assert.equal(wait({ random: () => 0 }), 100);
  assert.equal(wait({ failures: 2, random: () => 0.1, backoff: { jitter: "none" } }), 6000);
  assert.equal(wait({ failures: 3, backoff: { factor: 3, max: 20_000 } }), 20_000);
  assert.equal(wait({ failures: Infinity }), 30_000);
});

test("delays are at least what the server asks for", () => {
  const wait = (more) => delay({ failures: 1, interval: 3000, random: () => 0, ...more });
  assert.equal(wait({ retry: 500 }), 500);
  assert.equal(wait({ retry: 500, random: () => 1 }), 625);
  assert.equal(wait({ retry: 500, failures: 3, random: () => 1 }), 2000, "the retry of the server is the base afterwards");
  assert.equal(wait({ retryAfter: 60_000, failures: 4 }), 60_000);
  assert.equal(wait({ retryAfter: 10 ** 12 }), 3_600_000);
  assert.equal(wait({ retry: 0 }), 100);
});

test("Retry-After is seconds or a date", () => {
  assert.equal(retryAfter("120", 0), 120_000);
  assert.equal(retryAfter("Thu, 01 Jan 1970 00:01:00 GMT", 20_000), 40_000);
  assert.equal(retryAfter("Thu, 01 Jan 1970 00:00:00 GMT", 20_000), 0);
  assert.equal(retryAfter("Thursday, 01-Jan-70 00:01:00 GMT", 20_000), 40_000);
  assert.equal(retryAfter("1.5", 0), 1500);
  assert.equal(retryAfter("9".repeat(400), 0), 3_600_000);
  assert.equal(retryAfter("Fri, 31 Dec 9999 23:59:59 GMT", 0), 3_600_000);
  for (const value of [null, "", "soon", "-5", "-1.5", "1e3", "0x10", "Infinity", "NaN", "null", "May 5", "Thu, x GMT"]) {
    assert.equal(retryAfter(value, 0), undefined, String(value));
  }
});

for (const status of [408, 425, 429, 500, 502, 503, 504, 520]) {
  test(`${status} is tried again`, async () => {
    const { world, client, is, heard } = createClient();
    client.connect();
    await world.pass(0);
    await world.last.answer(status, "in a moment");
    assert.equal(is().state, "waiting");
    assert.deepEqual([is().error.code, is().error.status, is().error.body], ["status", status, "in a moment"]);
    await world.pass(1500);
    assert.equal(world.exchanges.length, 2);
    await world.last.open(hello());
    assert.deepEqual([is().state, is().error], ["open", null]);
    assert.deepEqual(heard.slice(0, 2), ["error status", "connect"]);
  });
}

for (const status of [400, 403, 404, 405, 410, 301]) {
  test(`${status} is the end`, async () => {
    const { world, client, is } = createClient();
    client.connect();
    await world.pass(0);
    await world.last.answer(status);
    assert.deepEqual([is().state, is().error.status, is().error.retryable], ["failed", status, false]);
    await world.pass(100_000);
    await world.fire(world.window, "online");
    assert.equal(world.exchanges.length, 1);
  });
}

test("204 and a final farewell close without a failure", async () => {
  const { world, client, is } = createClient();
  client.connect();
  await world.pass(0);
  await world.last.answer(204);
  assert.deepEqual([is().state, is().error.code], ["closed", "stay_away"]);

  const other = await openClient({}, {}, hello() + system("disconnected", { reason: "spam", reconnect: false }) + event("late"));
  assert.equal(other.is().state, "closed");
  assert.match(other.is().error.message, /spam/);
  assert.ok(other.world.last.isAborted, "it does not wait for the server to end it");
  assert.equal(other.heard.at(-1), "error stay_away", "no event follows");
  await other.world.pass(100_000);
  assert.equal(other.world.exchanges.length, 1);
});

test("a response that is not an event stream is final", async () => {
  for (const type of ["text/html", "text/plain", "text/event-streams", undefined]) {
    const { world, client, is } = createClient();
    client.connect();
    await world.pass(0);
    await world.last.answer(200, new TextEncoder().encode("<h1>Log in</h1>"), type ? { "content-type": type } : {});
    assert.deepEqual([is().state, is().error.code, is().error.body], ["failed", "type", "<h1>Log in</h1>"], type);
  }
  const { is } = await openClient({}, {}, "", { "content-type": "Text/Event-Stream; charset=utf-8" });
  assert.equal(is().state, "open");
});

test("gives up after maxReconnectAttempts until a wake", async () => {
  const all = createClient({ maxReconnectAttempts: 2 });
  const { world, client, is, heard } = all;
  client.connect();
  for (const attempt of [1, 2]) {
    await world.pass(0);
    await world.last.cut();
    assert.deepEqual([is().state, is().attempt, waitOf(all)], ["waiting", attempt, 1500 * 2 ** (attempt - 1)]);
    await world.pass(waitOf(all));
  }
  await world.last.cut();
  assert.deepEqual([is().state, is().error.code, is().nextRetryAt], ["failed", "network", null]);
  assert.deepEqual(heard, ["error network", "error network", "error network"]);
  await world.pass(10 ** 6);
  assert.equal(world.exchanges.length, 3);
  await world.fire(world.window, "online");
  assert.deepEqual([is().state, world.exchanges.length], ["connecting", 4]);
});

test("reconnect: false tries once", async () => {
  const { world, is } = await openClient({ reconnect: false });
  await world.last.end();
  assert.deepEqual([is().state, is().error.code], ["failed", "ended"]);
  await world.fire(world.window, "online");
  assert.equal(world.exchanges.length, 1);
});

test("a server that accepts and drops is not flooded", async () => {
  const all = await openClient({}, {}, hello({ retry: 1000 }));
  const { world, is } = all;
  const waits = [];
  for (let round = 0; round < 5; round++) {
    await world.last.end();
    waits.push(waitOf(all));
    await world.pass(waitOf(all));
    await world.last.open(hello({ retry: 1000 }));
  }
  assert.deepEqual(waits, [1125, 1000, 2000, 4000, 8000]);
  await world.last.end();
  assert.equal(is().state, "failed");
});

test("a useful stream resets the count of failures", async () => {
  const all = await openClient();
  const { world, is } = all;
  const failTwice = async () => {
    await world.last.cut();
    await world.pass(waitOf(all));
    await world.last.cut();
    assert.equal(is().attempt, 2);
    await world.pass(waitOf(all));
  };
  await failTwice();
  await world.last.open(hello({ retry: 3000 }) + event("something"));
  await world.last.cut();
  assert.equal(is().attempt, 1);
  await world.pass(waitOf(all));
  await world.last.cut();
  await world.pass(waitOf(all));
  await world.last.open(hello({ retry: 3000 }));
  await world.pass(5000);
  await world.last.cut();
  assert.equal(is().attempt, 1);
});

test("clients return after the retry of a shutdown", async () => {
  const all = await openClient({}, {}, hello({ retry: 3000 }) + system("shutdown", { reason: "shutdown", reconnect: true }, "retry: 7000\n"));
  await all.world.last.end();
  assert.equal(waitOf(all), 7000 * 1.125);
});

test("Retry-After overrides the back-off and waking", async () => {
  const all = createClient({}, { random: 0 });
  const { world, client, is } = all;
  client.connect();
  await world.pass(0);
  await world.last.answer(503, "", { "retry-after": "20" });
  assert.equal(waitOf(all), 20_000);
  await world.pass(10_000);
  await world.fire(world.window, "focus");
  assert.deepEqual([is().state, world.exchanges.length], ["waiting", 1]);
  await world.pass(10_000);
  assert.equal(world.exchanges.length, 2);
});

test("disconnect cancels pending and running attempts", async () => {
  const { world, client, is, heard } = createClient();
  client.connect();
  await world.pass(0);
  await world.last.cut();
  client.disconnect();
  await world.pass(10 ** 6);
  assert.deepEqual([is().state, world.exchanges.length, world.timers.size], ["closed", 1, 0]);
  client.connect();
  await world.pass(0);
  client.disconnect();
  assert.ok(world.last.isAborted);
  await world.fire(world.window, "online");
  assert.equal(world.exchanges.length, 2);
  assert.deepEqual(heard, ["error network"]);
});

test("events of an earlier stream are ignored", async () => {
  const { world, client, heard } = await openClient({}, {}, hello());
  const old = world.last;
  client.disconnect();
  client.connect();
  await world.pass(0);
  // An abort can be too late for bytes that were already read.
  await world.last.open(event("new"));
  await old.send(event("old")).catch(() => {});
  assert.deepEqual(heard.filter((line) => line.startsWith("message")), ['message "new"']);
});

test("signals end the client, even if already aborted", async () => {
  const abort = new AbortController();
  const { world, client, is } = await openClient({ signal: abort.signal });
  abort.abort();
  assert.deepEqual([is().state, world.last.isAborted], ["closed", true]);
  client.connect();
  await world.pass(0);
  assert.equal(world.exchanges.length, 1);
  const late = createClient({ signal: AbortSignal.abort() });
  late.client.connect();
  await late.world.pass(0);
  assert.deepEqual([late.is().state, late.world.exchanges.length], ["closed", 0]);
});

test("offline pauses attempts until online", async () => {
  const all = await openClient({ maxReconnectAttempts: 1 }, { random: 1 });
  const { world, is } = all;
  world.isOnlineNow = false;
  for (let round = 0; round < 4; round++) {
    await world.last.cut();
    assert.deepEqual([is().state, is().attempt, waitOf(all)], ["waiting", 0, 30_000]);
    await world.pass(30_000);
  }
  await world.last.cut();
  await world.pass(2000);
  world.isOnlineNow = true;
  const before = world.exchanges.length;
  await world.fire(world.window, "online");
  assert.deepEqual([is().state, world.exchanges.length], ["connecting", before + 1]);
});

const BIG = "x".repeat(60);

for (const [name, text, gap] of [
  ["with an id before its data", `id: 2\ndata: ${BIG}\n\n`, { from: "1", to: "2" }],
  ["with an id after its data", `data: ${BIG}\nid: 2\n\n`, { from: "1", to: "2" }],
  ["with many lines", `id: 2\n${"data: x\n".repeat(20)}\n`, { from: "1", to: "2" }],
  ["without an id", `data: ${BIG}\n\n`, { from: "1", to: null }],
]) {
  test(`a too large event ${name} is a gap`, async () => {
    const gaps = [], errors = [];
    const options = { maxEventBytes: 50, onGap: (gap) => gaps.push(gap), onError: (error) => errors.push(error) };
    const { world, is, heard } = await openClient(options, {}, event("a", "1"));
    await world.last.send(text + event("b", "3"));
    assert.deepEqual(gaps, [{ reason: "too_large", dropped: 1, ...gap }]);
    assert.deepEqual(errors.map(({ code, retryable }) => [code, retryable]), [["too_large", true]]);
    assert.match(errors[0].message, /50 bytes/);
    assert.deepEqual([is().state, is().error, is().lastEventId, world.exchanges.length], ["open", null, "3", 1]);
    assert.deepEqual(heard.filter((line) => line.startsWith("message")), ['message "a"', 'message "b"']);
  });
}

test("a stream cut in a too large event resumes after it", async () => {
  const { world, heard } = await openClient({ maxEventBytes: 50 }, {}, `id: 2\ndata: ${BIG}`);
  assert.equal(heard.at(-1), "gap too_large");
  await world.last.cut();
  await world.pass(5000);
  assert.equal(world.last.headers.get("last-event-id"), "2");
});

test("an id that is too long for a header is not used", async () => {
  const { world, is } = await openClient({}, {}, event("a", "1") + event("b", "y".repeat(200_000)));
  assert.deepEqual([is().lastEventId, is().lastMessage.data], ["1", "b"]);
  await world.last.cut();
  await world.pass(5000);
  assert.equal(world.last.headers.get("last-event-id"), "1");
});

test("a stored id that no header can carry is not used", async () => {
  for (const id of ["a\nb", "a\0", "y".repeat(200_000)]) {
    const { world, is } = await openClient({ storage: { getItem: () => id, setItem: () => {}, removeItem: () => {} } });
    assert.deepEqual([is().state, world.last.headers.has("last-event-id")], ["open", false]);
  }
});

/** Makes an attempt fail by each cause. */
const CAUSES = {
  cut: ({ last }) => last.cut(),
  ended: async ({ last }) => { await last.open(); await last.end(); },
  503: ({ last }) => last.answer(503),
  403: ({ last }) => last.answer(403),
  204: ({ last }) => last.answer(204),
  401: ({ last }) => last.answer(401),
  html: ({ last }) => last.answer(200, "<h1>"),
  banned: ({ last }) => last.open(system("disconnected", { reason: "spam", reconnect: false })),
  expired: ({ last }) => last.open(system("auth_expired", { reason: "expired", reconnect: true })),
  silent: async (world) => { await world.last.open("", { "x-sse-heartbeat-ms": "1000" }); await world.pass(2500); },
  "no response": (world) => world.pass(20_000),
};

for (const [name, fail] of Object.entries(CAUSES)) {
  test(`retryable is true iff it goes on: ${name}`, async () => {
    for (const options of [{}, { reconnect: false }, { maxReconnectAttempts: 0 }, { maxReconnectAttempts: 1 }, { reconnectInterval: Infinity }]) {
      const errors = [];
      const { world, client, is } = createClient({ ...options, onError: (error) => errors.push([error, error.retryable]) });
      client.connect();
      for (let attempt = 1; attempt <= 3 && !["failed", "closed"].includes(is().state); attempt++) {
        await world.pass(0);
        const before = errors.length, { length } = world.exchanges;
        await fail(world);
        const { error, state } = is();
        const said = error?.retryable;
        assert.equal(said, state === "waiting" || state === "connecting", `${JSON.stringify(options)} ${state}`);
        for (const [reported, told] of errors.slice(before)) assert.deepEqual([reported, told], [error, said]);
        await world.pass(60_000);
        assert.equal(world.exchanges.length > length || is().state === "connecting", said);
      }
    }
  });
}

test("405 says which methods the server accepts", async () => {
  const errorOf = async (options, headers, body) => {
    const { world, client, is } = createClient(options);
    client.connect();
    await world.pass(0);
    await world.last.answer(405, body, headers);
    return is().error.message;
  };
  const post = { method: "POST", body: "{}" };
  assert.match(await errorOf(post, { allow: "GET, HEAD" }), /^405: the server does not accept POST, only GET, HEAD\. .*`method` and `body`$/);
  assert.match(await errorOf(post, {}, "method not allowed"), /accept POST\. .*: method not allowed$/);
  assert.equal(await errorOf({}, { allow: "POST" }), "405: the server does not accept GET, only POST");
});
