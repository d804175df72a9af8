// Tests of the positions of tabs that share a stream: a tab receives a gap if it missed something,
// and only then.

import assert from "node:assert/strict";
import test from "node:test";
import { calm, createBrowser, createServer } from "./support/tabs.mjs";

const range = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
const LOCAL = { storage: "local" };

/** Returns a browser in which an earlier visit ended at a position, and its server. */
async function visited({ at, end }) {
  const server = createServer();
  const browser = createBrowser(server);
  for (let number = 0; number < at; number++) server.publish();
  const tab = browser.open(LOCAL);
  await calm([tab]);
  await browser.close(tab);
  while (server.end < end) server.publish();
  return { server, browser, former: tab };
}

test("tabs that open together receive all that was missed, and no gap", async () => {
  const { browser } = await visited({ at: 5, end: 8 });
  const tabs = range(1, 3).map(() => browser.open(LOCAL));
  await calm(tabs);
  for (const { numbers, gaps } of tabs) assert.deepEqual([numbers, gaps], [[6, 7, 8], []]);
});

test("a tab that opens after the leader stored its position receives the same", async () => {
  const { server, browser } = await visited({ at: 5, end: 8 });
  const leader = browser.open(LOCAL);
  await calm([leader]);
  server.publish();
  await calm([leader]);
  const late = browser.open(LOCAL);
  await calm([leader, late]);
  assert.deepEqual([late.numbers, late.gaps], [[6, 7, 8, 9], []]);
  // Also without the leader.
  await browser.close(leader);
  await calm([late]);
  const last = browser.open(LOCAL);
  server.publish();
  await calm([late, last]);
  assert.deepEqual([last.numbers, last.gaps], [[6, 7, 8, 9, 10], []]);
});

test("a new tab receives a gap if the leader no longer has all that was missed", async () => {
  const { server, browser } = await visited({ at: 5, end: 8 });
  const leader = browser.open(LOCAL);
  await calm([leader]);
  while (server.end < 300) server.publish();
  await calm([leader]);
  const late = browser.open(LOCAL);
  await calm([leader, late]);
  server.publish();
  await calm([leader, late]);
  assert.deepEqual(late.gaps, [{ reason: "trimmed", dropped: null, from: "e-5", to: "e-300" }]);
  assert.deepEqual([late.numbers, leader.gaps, server.streams.size], [[301], [], 1]);
});

test("a restored tab continues from its own position", async () => {
  for (const storage of ["local", "session"]) {
    const server = createServer();
    const browser = createBrowser(server);
    server.publish();
    const [one, two] = [browser.open({ storage }), browser.open({ storage })];
    await calm([one, two]);
    server.publish();
    await calm([one, two]);
    await browser.close(two);
    server.publish();
    await calm([one]);
    const restored = browser.open({ storage, sessionStorage: two.sessionStorage });
    await calm([one, restored]);
    assert.deepEqual([restored.numbers, restored.gaps], [[3], []], storage);
  }
});

test("a tab whose position the leader does not know asks the server", async () => {
  for (const missed of [0, 3, 4]) {
    const server = createServer();
    const browser = createBrowser(server);
    for (let number = 0; number < 4; number++) server.publish();
    const former = browser.open({ storage: "session" });
    await calm([former]);
    await browser.close(former);
    for (let number = 0; number < missed; number++) server.publish();
    const leader = browser.open({ storage: "session" });
    await calm([leader]);
    const restored = browser.open({ storage: "session", sessionStorage: former.sessionStorage });
    await calm([leader, restored]);
    assert.deepEqual(restored.numbers, range(5, 4 + missed), "what was missed arrives at once");
    // The leader's position is that of the tab if nothing was missed.
    assert.equal(server.streams.size, missed ? 2 : 1);
    // The streams meet at the next event, or heartbeat.
    missed === 3 ? server.publish() : server.heartbeat();
    await calm([leader, restored]);
    assert.equal(server.streams.size, 1);
    server.publish();
    await calm([leader, restored]);
    assert.deepEqual([restored.numbers, restored.gaps], [range(5, server.end), []]);
  }
});

test("a tab receives the server's gap, and other tabs do not", async () => {
  const server = createServer();
  const browser = createBrowser(server);
  server.publish();
  const former = browser.open({ storage: "session" });
  await calm([former]);
  await browser.close(former);
  while (server.end < 9) server.publish();
  server.first = 6;
  const leader = browser.open({ storage: "session" });
  await calm([leader]);
  const restored = browser.open({ storage: "session", sessionStorage: former.sessionStorage });
  server.publish();
  await calm([leader, restored]);
  assert.deepEqual([restored.gaps, leader.gaps], [[{ reason: "trimmed" }], []]);
  assert.deepEqual([restored.numbers, leader.numbers], [range(6, 10), [10]]);
});

test("an event without an id reaches a tab that catches up once", async () => {
  const { server, browser } = await visited({ at: 5, end: 8 });
  const leader = browser.open(LOCAL);
  await calm([leader]);
  const late = browser.open(LOCAL);
  // The leader has this event before it answers, and sends it to the new tab too.
  server.send("event: notification\ndata: {\"message\":\"0\"}\n\n");
  await calm([leader, late]);
  assert.deepEqual([late.numbers.filter((number) => number === 0), late.gaps], [[0], []]);
});

/** Random numbers that a failing test can repeat. */
function dice(seed) {
  return (sides) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * sides);
  };
}

test("in any order of events, no tab misses anything or receives a gap", async () => {
  for (const seed of range(1, 60)) {
    const roll = dice(seed);
    const server = createServer();
    const browser = createBrowser(server);
    const open = [], closed = [], all = [];
    const storage = ["local", "session"][seed % 2];
    for (let step = 0; step < 25; step++) {
      const choice = roll(10);
      if (choice < 4) server.publish();
      else if (choice === 4) server.heartbeat();
      else if (choice === 5 && server.streams.size) server.restart();
      else if (choice < 8 && open.length < 4) {
        const former = (roll(2) && closed.splice(roll(closed.length), 1)[0]) || undefined;
        const sessionStorage = former?.sessionStorage;
        const place = former?.client.getSnapshot().lastEventId;
        const tab = browser.open({ storage, sessionStorage });
        if (place) tab.place = Number(place.slice(2));
        open.push(tab);
        all.push(tab);
      } else if (open.length) {
        const [tab] = open.splice(roll(open.length), 1);
        await browser.close(tab);
        closed.push(tab);
      }
      if (roll(3)) await calm(open);
    }
    for (let round = 0; round < 3; round++) {
      await calm(open);
      for (const tab of open) await tab.world.pass(5000);
      server.publish();
    }
    await calm(open);
    for (const tab of all) {
      assert.deepEqual(tab.gaps, [], `seed ${seed}`);
      const { numbers } = tab;
      if (numbers.length) assert.deepEqual(numbers, range(numbers[0], numbers.at(-1)), `seed ${seed}`);
      if (tab.place < numbers.at(-1)) assert.equal(numbers[0], tab.place + 1, `seed ${seed}`);
      if (open.includes(tab)) assert.equal(numbers.at(-1), server.end, `seed ${seed}`);
    }
    for (const tab of open) await browser.close(tab);
  }
});
