// Tests of every number that an app or a server passes to the client.

import assert from "node:assert/strict";
import test from "node:test";
import { createSSE } from "../src/client.js";
import { delay } from "../src/delay.js";
import { createHooks } from "../src/hooks.js";
import { announced, limit, silenceAfter } from "../src/limits.js";
import { createNotificationList } from "../src/notifications.js";
import { createParser } from "../src/parser.js";
import { createClient, openClient } from "./support/client.mjs";
import { createReact } from "./support/react.mjs";
import { hello } from "./support/server.mjs";

const DAY = 86_400_000;
const NEVER = Infinity;

/** Values, and their meaning for every option; a string is the name of the error. */
const VALUES = [
  [-1, "RangeError"], [-Infinity, "RangeError"], [NaN, "RangeError"], [-0.5, "RangeError"],
  ["", "TypeError"], ["5", "TypeError"], ["soon", "TypeError"], [null, "TypeError"], [true, "TypeError"], [5n, "TypeError"],
  [{}, "TypeError"], [[], "TypeError"], [new Date(0), "TypeError"], [() => 5, "TypeError"], [Symbol("5"), "TypeError"],
];

/** Each option: the meaning of undefined, 0, 0.5, 1.5, 2³¹, 2⁵³ and Infinity. */
const OPTIONS = {
  reconnectInterval: [3000, 0, 0.5, 1.5, 2 ** 31, 2 ** 53, NEVER],
  maxReconnectAttempts: [5, 0, 0, 1, 2 ** 31, 2 ** 53, NEVER],
  "backoff.factor": [2, "RangeError", "RangeError", 1.5, 2 ** 31, 2 ** 53, Infinity],
  "backoff.max": [30_000, 0, 0.5, 1.5, 2 ** 31, 2 ** 53, Infinity],
  connectTimeout: [20_000, NEVER, 1, 2, 2 ** 31, 2 ** 53, NEVER],
  heartbeatTimeout: [undefined, NEVER, 1, 2, 2 ** 31, 2 ** 53, NEVER],
  maxEventBytes: [2 ** 22, "RangeError", "RangeError", 1, 2 ** 31, 2 ** 53, NEVER],
  maxMessages: [100, 0, 0, 1, 2 ** 31, 2 ** 53, NEVER],
  maxNotifications: [100, 0, 0, 1, 2 ** 31, 2 ** 53, NEVER],
};

/** Uses an option as an app does. */
function use(path, value) {
  const [name, inner] = path.split(".");
  const options = inner ? { [name]: { [inner]: value } } : { [name]: value };
  if (name === "maxNotifications") return createNotificationList(options);
  if (name === "maxEventBytes") createParser({ onEvent: () => {}, ...options });
  return createSSE(options);
}

for (const [name, meanings] of Object.entries(OPTIONS)) {
  test(`every value of ${name} has a meaning or an error`, () => {
    const rows = [undefined, 0, 0.5, 1.5, 2 ** 31, 2 ** 53, Infinity].map((value, index) => [value, meanings[index]]).concat(VALUES);
    for (const [value, meaning] of rows) {
      const what = `${String(value)} (${typeof value})`;
      if (typeof meaning !== "string") {
        assert.equal(limit(name, value), meaning, what);
        use(name, value);
        continue;
      }
      const isNamed = (error) => error.name === meaning && error.message.includes(name);
      assert.throws(() => limit(name, value), isNamed, what);
      assert.throws(() => use(name, value), isNamed, what);
    }
  });
}

test("the error of an invalid number names option and value", () => {
  assert.throws(() => createSSE({ connectTimeout: null }), new TypeError("connectTimeout is not a number: null"));
  assert.throws(() => createSSE({ connectTimeout: "5" }), new TypeError("connectTimeout is not a number: string"));
  assert.throws(() => createSSE({ backoff: { factor: 0.5 } }), new RangeError("backoff.factor is 0.5, not a number from 1"));
});

test("the hooks throw for an invalid number", () => {
  for (const [name, value, error] of [["maxMessages", NaN, RangeError], ["maxNotifications", "5", TypeError], ["reconnectInterval", -1, RangeError]]) {
    const { React, render } = createReact();
    const { useNotifications } = createHooks(React);
    assert.throws(() => render(() => useNotifications({ [name]: value })), error);
  }
});

test("numbers of servers are ignored or clamped", () => {
  for (const [value, number, silence] of [
    [0, 0, NEVER], ["0", 0, NEVER], [null, undefined, NEVER], [5000, 5000, 12_500], ["5000", 5000, 12_500], [0.5, 0.5, 1000],
    ["0.5", 0.5, 1000], [1, 1, 1000], [10 * DAY, 10 * DAY, 25 * DAY], [2 ** 31, 2 ** 31, 2.5 * 2 ** 31], [2 ** 53, 2 ** 53, 2.5 * 2 ** 53],
    [Infinity, Infinity, NEVER], ["9".repeat(400), Infinity, NEVER],
    ...[-1, -Infinity, NaN, "", " ", "-1", "1e3", "0x10", "soon", "Infinity", undefined, true, {}, [], [5]].map((value) => [value, undefined, undefined]),
  ]) {
    assert.deepEqual([announced(value), silenceAfter(value)], [number, silence], `${JSON.stringify(value)} (${typeof value})`);
  }
});

test("every delay is from 100 ms to an hour and a quarter", () => {
  const extreme = [0, 0.5, 1, 2 ** 31, 2 ** 53, Number.MAX_VALUE, Infinity];
  for (const interval of extreme) for (const max of extreme) for (const factor of [1, 1.5, 2 ** 53, Infinity]) {
    for (const failures of [0, 1, 2, 2000, Infinity]) for (const jitter of ["full", "none"]) for (const random of [0, 0.5, 1]) {
      for (const asked of [{}, ...extreme.flatMap((value) => [{ retry: value }, { retryAfter: value }])]) {
        const wait = delay({ failures, interval, backoff: { max, factor, jitter }, random: () => random, ...asked });
        if (!(wait >= 100 && wait <= 4_500_000)) assert.fail(JSON.stringify({ failures, interval, max, factor, jitter, random, asked, wait }));
      }
    }
  }
});

test("delays grow from the shortest base, and with Retry-After 0", () => {
  const waits = (more) => [1, 2, 3, 4].map((failures) => delay({ failures, interval: 3000, random: () => 1, ...more }));
  assert.deepEqual(waits({ interval: 0 }), [100, 200, 400, 800]);
  assert.deepEqual(waits({ retry: 0 }), [100, 200, 400, 800]);
  assert.deepEqual(waits({ retryAfter: 0 }), [3000, 6000, 12_000, 24_000]);
  assert.deepEqual(waits({ backoff: { factor: 1 } }), [3000, 3000, 3000, 3000]);
  assert.deepEqual(waits({ backoff: { factor: Infinity } }), [3000, 30_000, 30_000, 30_000]);
  assert.equal(delay({ failures: Infinity, interval: 3000, random: () => 1, backoff: { factor: 1.01 } }), 30_000);
});

for (const [name, options, text] of [
  ["retry: 0", {}, "retry: 0\n\n"],
  ["an endless retry", {}, `retry: ${"9".repeat(400)}\n\n`],
  ["reconnectInterval: 0", { reconnectInterval: 0 }, ""],
  ["a factor of 1", { backoff: { factor: 1 } }, ""],
  ["an infinite factor", { backoff: { factor: Infinity } }, ""],
  ["an infinite max", { backoff: { max: Infinity } }, ""],
  ["a max of 0", { backoff: { max: 0 } }, ""],
  ["all at once", { reconnectInterval: 0, backoff: { factor: 1, max: Infinity } }, "retry: 0\n\n"],
]) {
  test(`no flood of attempts: ${name}`, async () => {
    for (const isOnline of [true, false]) {
      const { world, is } = await openClient({ maxReconnectAttempts: Infinity, ...options }, { random: 1 }, text);
      world.isOnlineNow = isOnline;
      for (let round = 0; round < 20; round++) {
        await world.last.cut();
        assert.equal(is().state, "waiting");
        const wait = is().nextRetryAt - world.now();
        assert.ok(wait >= (isOnline ? 100 : 1000) && wait <= 4_500_000, `${wait}`);
        await world.pass(wait);
        assert.equal(world.exchanges.length, round + 2);
      }
    }
  });
}

test("an infinite reconnectInterval never reconnects", async () => {
  const { world, is } = await openClient({ reconnectInterval: Infinity }, {}, hello({ retry: 1000 }));
  await world.last.cut();
  await world.pass(DAY);
  await world.fire(world.window, "online");
  assert.deepEqual([is().state, world.exchanges.length], ["failed", 1]);
});

/** Passes days, and asserts that the client does not spin: a timer lasts up to 24.8 days. */
async function passDays(world, days) {
  const before = world.startedTimers;
  await world.pass(days * DAY);
  assert.ok(world.startedTimers - before <= 1 + days / 24, `${world.startedTimers - before} timers in ${days} days`);
}

for (const [connectTimeout, days] of [[0, NEVER], [Infinity, NEVER], [2 ** 53, NEVER], [2 ** 31 - 1, 24.9], [2 ** 31, 24.9], [30 * DAY, 30], [100 * DAY, 100]]) {
  test(`connectTimeout ${connectTimeout}`, async () => {
    const { world, client, is } = createClient({ connectTimeout });
    client.connect();
    await passDays(world, Math.min(days, 400) - 0.1);
    assert.deepEqual([is().state, world.exchanges.length], ["connecting", 1]);
    if (connectTimeout === 0 || connectTimeout === Infinity) assert.equal(world.timers.size, 0);
    if (days === NEVER) {
      await world.last.open(hello());
      return assert.equal(is().state, "open");
    }
    await world.pass(0.1 * DAY);
    assert.equal(is().error.code, "timeout");
  });
}

for (const [options, announcement, days] of [
  ...[0, Infinity, 2 ** 53].map((heartbeatTimeout) => [{ heartbeatTimeout }, 5000, NEVER]),
  [{ heartbeatTimeout: 2 ** 31 }, 5000, 24.9], [{ heartbeatTimeout: 30 * DAY }, 5000, 30],
  [{}, 10 * DAY, 25], [{}, String(10 * DAY), 25], [{}, 2 ** 31, 62.2], [{}, 2 ** 53, NEVER], [{}, 0, NEVER], [{}, null, NEVER],
  ...[-1, "soon", "-1", {}, [], true].map((value) => [{}, value, NEVER]),
]) {
  test(`silence: ${options.heartbeatTimeout} or ${JSON.stringify(announcement)}`, async () => {
    for (const header of [false, true]) {
      const open = header ? ["", { "x-sse-heartbeat-ms": String(announcement) }] : [hello({ heartbeatMs: announcement })];
      const { world, is } = await openClient(options, {}, ...open);
      await passDays(world, Math.min(days, 400) - 0.1);
      assert.deepEqual([is().state, world.exchanges.length], ["open", 1]);
      if (days === NEVER) continue;
      await world.pass(0.1 * DAY);
      assert.equal(is().error.code, "timeout");
    }
  });
}

test("an invalid announcement leaves an earlier one valid", async () => {
  const { world, is } = await openClient({}, {}, hello({ heartbeatMs: -1 }), { "x-sse-heartbeat-ms": "10000" });
  await world.pass(24_999);
  assert.equal(is().state, "open");
  await world.pass(1);
  assert.equal(is().error.code, "timeout");
});

test("Retry-After is at most an hour and a quarter", async () => {
  for (const value of ["9".repeat(400), "99999999", "Fri, 31 Dec 9999 23:59:59 GMT"]) {
    const { world, client, is } = createClient();
    client.connect();
    await world.pass(0);
    await world.last.answer(503, "", { "retry-after": value });
    assert.deepEqual([is().error.retryAfter, is().nextRetryAt - world.now()], [3_600_000, 3_600_000 * 1.125]);
  }
});

test("fractions keep whole messages and notifications", async () => {
  const { is } = await openClient({ maxMessages: 0.5 }, {}, "data: 1\n\ndata: 2\n\n");
  assert.deepEqual(is().messages, []);
  const list = createNotificationList({ maxNotifications: 1.5 });
  for (const message of ["a", "b"]) list.add({ type: "notification", data: { message }, timestamp: 0 });
  assert.deepEqual(list.getSnapshot().notifications.map(({ message }) => message), ["b"]);
});
