// Tests of several tabs with one stream, in Chromium.

import assert from "node:assert/strict";
import test, { before, after } from "node:test";
import { startChromium, until } from "./support/browsers.mjs";
import { connect, heard, isRole, isState, messages, serveStreams, snapshot, waitFor } from "./support/streams.mjs";

let browser;
const ends = [];
before(async () => { browser = await startChromium({ after: (end) => ends.push(end) }); });
after(async () => { for (const end of ends) await end(); });

const SHARED = { user: "ada", reconnectInterval: 100 };

/** Opens a number of tabs in one browser, the first of them the leader. */
async function openTabs(t, count, options = SHARED, answer) {
  const server = await serveStreams(t, answer);
  const context = await browser.newContext();
  t.after(() => context.close());
  const tabs = [];
  for (let number = 0; number < count; number++) {
    const page = await context.newPage();
    await page.goto(server.url);
    await connect(page, options);
    await isState(page, "open");
    tabs.push(page);
  }
  return { server, context, tabs };
}

const upTo = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** Publishes numbers continuously until stopped; returns their count. */
function publishing(server, pauseMs = 5) {
  let count = 0;
  const timer = setInterval(() => server.publish(String(++count)), pauseMs);
  return () => {
    clearInterval(timer);
    return count;
  };
}

const hasAll = (page, count) => waitFor(page, (count) => window.heard.includes(String(count)), count);

test("four tabs share one stream", async (t) => {
  const { server, tabs } = await openTabs(t, 4);
  assert.equal(server.streams.length, 1);
  assert.deepEqual(await Promise.all(tabs.map(async (tab) => (await snapshot(tab)).role)), ["leader", "follower", "follower", "follower"]);
  for (const number of upTo(20)) server.publish(String(number));
  for (const tab of tabs) {
    await hasAll(tab, 20);
    assert.deepEqual(await messages(tab), upTo(20));
    assert.deepEqual([(await snapshot(tab)).clientId, (await snapshot(tab)).lastEventId], ["c1", "e-20"]);
  }
});

test("a tab takes over from a closed leader without loss", async (t) => {
  const { server, tabs: [leader, ...others] } = await openTabs(t, 4);
  const stop = publishing(server);
  await hasAll(others[0], 20);
  await leader.close();
  await until(() => server.streams.length === 2);
  await server.settlesAt(1);
  const count = stop() && (server.publish("9999"), 9999);
  for (const tab of others) {
    await hasAll(tab, count);
    const all = await messages(tab);
    assert.deepEqual(all.slice(0, -1), upTo(all.length - 1));
  }
  assert.equal((await Promise.all(others.map(async (tab) => (await snapshot(tab)).role))).filter((role) => role === "leader").length, 1);
});

test("a hanging leader loses the stream", async (t) => {
  let goOn;
  const hangs = ({ url, response }) => url.pathname === "/hang" && (goOn = () => response.end(), true);
  const { server, tabs: [leader, follower] } = await openTabs(t, 2, SHARED, hangs);
  // Slow enough that the follower remembers all events of 40 s: it takes the stream after ten,
  // and a busy machine later.
  const stop = publishing(server, 200);
  await hasAll(follower, 5);
  // A script that runs until it is stopped: no freeze event, no closed tab.
  const hanging = leader.evaluate(() => new Promise((resolve) => setTimeout(() => {
    const request = new XMLHttpRequest();
    request.open("GET", "/hang", false);
    request.send();
    resolve();
  })));
  await isRole(follower, "leader");
  await isState(follower, "open");
  goOn();
  await hanging;
  await isRole(leader, "follower");
  const count = stop();
  for (const tab of [leader, follower]) {
    await hasAll(tab, count);
    assert.deepEqual(await messages(tab), upTo(count));
  }
  await server.settlesAt(1);
});

test("a crashed leader is replaced", async (t) => {
  const { server, context, tabs: [leader, follower] } = await openTabs(t, 2);
  const devtools = await context.newCDPSession(leader);
  devtools.send("Page.crash").catch(() => {});
  await isRole(follower, "leader");
  await isState(follower, "open");
  server.publish("1");
  await hasAll(follower, 1);
});

test("a returning tab catches up from another tab", async (t) => {
  const { server, tabs: [leader, tab] } = await openTabs(t, 2, { ...SHARED, storage: "session" });
  server.publish("1");
  await hasAll(tab, 1);
  await tab.goto(`${server.url}/?elsewhere`);
  for (const number of [2, 3, 4]) server.publish(String(number));
  await hasAll(leader, 4);
  await tab.goto(server.url);
  // The first question must succeed: no event causes a second question.
  await tab.evaluate(() => {
    const { setTimeout } = window;
    window.setTimeout = (run, delay) => (delay > 1000 ? 0 : setTimeout(run, delay));
  });
  await connect(tab, { ...SHARED, storage: "session" });
  await hasAll(tab, 4);
  assert.deepEqual(await messages(tab), [2, 3, 4]);
  assert.equal(server.streams.length, 1);
});

test("a tab with a position that the leader does not know asks the server", async (t) => {
  const { server, tabs: [leader, tab] } = await openTabs(t, 2);
  await tab.evaluate(() => window.client.disconnect());
  for (const number of [1, 2]) server.publish(String(number));
  await hasAll(leader, 2);
  await connect(tab, { ...SHARED, lastEventId: "e-older" });
  await hasAll(tab, 2);
  server.publish("3");
  await server.settlesAt(1);
  await hasAll(tab, 3);
  assert.deepEqual(await heard(tab), ["connect", "1", "2", "3"]);
  assert.deepEqual([await messages(leader), (await snapshot(leader)).role], [[1, 2, 3], "leader"]);
});

test("tabs that open together with a stored position receive the same, and no gap", async (t) => {
  const { server, context, tabs: [former] } = await openTabs(t, 1, { ...SHARED, storage: "local" });
  server.publish("1");
  await hasAll(former, 1);
  await former.close();
  for (const number of [2, 3]) server.publish(String(number));
  const tabs = await Promise.all(upTo(3).map(async () => {
    const page = await context.newPage();
    await page.goto(server.url);
    return page;
  }));
  await Promise.all(tabs.map((tab) => connect(tab, { ...SHARED, storage: "local" })));
  for (const tab of tabs) await hasAll(tab, 3);
  server.publish("4");
  for (const tab of tabs) {
    await hasAll(tab, 4);
    assert.deepEqual((await heard(tab)).filter((line) => line !== "connect"), ["2", "3", "4"]);
  }
  await server.settlesAt(1);
});

test("logging out ends all tabs, and no other user's", async (t) => {
  const { server, context, tabs } = await openTabs(t, 3);
  const bob = await context.newPage();
  await bob.goto(server.url);
  await connect(bob, { ...SHARED, user: "bob" });
  await isState(bob, "open");
  assert.equal(server.streams.length, 2, "another user has another stream");
  await tabs[1].evaluate(() => window.client.disconnect({ everywhere: true }));
  for (const tab of tabs) {
    await isState(tab, "closed");
    assert.equal((await snapshot(tab)).lastEventId, "");
  }
  await server.settlesAt(1);
  assert.equal((await snapshot(bob)).state, "open");
  await tabs[2].evaluate(() => window.client.connect());
  await isState(tabs[2], "open");
});

test("disconnecting one tab leaves the others connected", async (t) => {
  const { server, tabs: [leader, follower] } = await openTabs(t, 2);
  await leader.evaluate(() => window.client.disconnect());
  await isRole(follower, "leader");
  await isState(follower, "open");
  server.publish("1");
  await hasAll(follower, 1);
  assert.equal((await snapshot(leader)).state, "closed");
  assert.deepEqual(await messages(leader), []);
});

test("all tabs see a stop, and any tab can restart", async (t) => {
  let isRefusing = false;
  const { server, tabs: [leader, follower] } = await openTabs(t, 2, SHARED, ({ response }) => isRefusing && response.writeHead(403).end());
  isRefusing = true;
  server.streams[0].response.destroy();
  for (const tab of [leader, follower]) {
    await isState(tab, "failed");
    assert.deepEqual((await snapshot(tab)).error, { code: "status", status: 403 });
    assert.equal((await heard(tab)).at(-1), "error status 403");
  }
  isRefusing = false;
  await follower.evaluate(() => window.client.connect());
  for (const tab of [leader, follower]) await isState(tab, "open");
});

test("without user, sharing or locks, tabs do not share", async (t) => {
  for (const options of [{}, { user: "ada", share: false }]) {
    const { server, tabs } = await openTabs(t, 2, options);
    assert.equal(server.open().length, 2);
    assert.equal((await snapshot(tabs[0])).role, "alone");
  }
  const { server, context, tabs: [first] } = await openTabs(t, 1);
  const page = await context.newPage();
  await page.addInitScript(() => { navigator.locks.request = () => Promise.reject(new DOMException("no", "SecurityError")); });
  await page.goto(server.url);
  await connect(page, SHARED);
  await isState(page, "open");
  assert.deepEqual([(await snapshot(page)).role, (await snapshot(first)).role, server.open().length], ["alone", "leader", 2]);
});
