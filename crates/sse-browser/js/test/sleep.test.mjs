// Pages that Chromium freezes, or keeps in its back-forward cache. Playwright keeps every page
// visible, but only hidden pages are frozen, and turns the cache off. So these tests use puppeteer.

import assert from "node:assert/strict";
import test from "node:test";
import puppeteer from "puppeteer-core";
import { ARGUMENTS, CHROMIUM, START_MS, patientPage, until } from "./support/browsers.mjs";
import { connect, heard, isRole, isState, messages, serveStreams, waitFor } from "./support/streams.mjs";

/** Opens a hidden page and a visible page, both connected. */
async function open(t, options) {
  const server = await serveStreams(t);
  const browser = await puppeteer.launch({ executablePath: CHROMIUM, args: ARGUMENTS, timeout: START_MS });
  t.after(() => browser.close());
  const pages = [(await browser.pages())[0], await browser.newPage()].map(patientPage);
  for (const page of pages) {
    await page.bringToFront();
    await page.goto(server.url);
    await connect(page, { reconnectInterval: 100, ...options });
    await isState(page, "open");
  }
  const devtools = await pages[0].createCDPSession();
  const set = (state) => devtools.send("Page.setWebLifecycleState", { state });
  return { server, pages, freeze: () => set("frozen"), thaw: () => set("active") };
}

test("a frozen page releases its stream and resumes it", async (t) => {
  const { server, pages: [hidden], freeze, thaw } = await open(t, {});
  await freeze();
  await server.settlesAt(1);
  server.publish("1");
  await thaw();
  await waitFor(hidden, () => window.heard.includes("1"));
  assert.equal(server.open().length, 2);
});

test("a frozen leader returns as a follower", async (t) => {
  const { server, pages: [leader, follower], freeze, thaw } = await open(t, { user: "ada" });
  assert.equal(server.open().length, 1);
  let count = 0;
  // Slow enough that the follower remembers all events of 20 s: the time that it can take on a busy
  // machine.
  const timer = setInterval(() => server.publish(String(++count)), 100);
  const hasAll = (page, count) => waitFor(page, (count) => window.heard.includes(String(count)), count);
  await hasAll(follower, 10);
  await freeze();
  await isRole(follower, "leader");
  await isState(follower, "open");
  await hasAll(follower, count + 10);
  await thaw();
  await isRole(leader, "follower");
  await isState(leader, "open");
  clearInterval(timer);
  for (const page of [leader, follower]) {
    await hasAll(page, count);
    assert.deepEqual(await messages(page), Array.from({ length: count }, (_, index) => index + 1));
  }
  assert.ok(!(await heard(leader)).some((line) => line.startsWith("gap")));
  assert.equal(server.open().length, 1);
});

test("a page in the bfcache releases its stream", async (t) => {
  for (const user of [undefined, "ada"]) {
    const { server, pages: [hidden, page] } = await open(t, { user });
    await hidden.close();
    await server.settlesAt(1);
    await isState(page, "open");
    server.publish("1");
    await waitFor(page, () => window.heard.includes("1"));
    await page.goto(`${server.url}/?other`);
    await server.settlesAt(0);
    server.publish("2");
    await page.evaluate(() => setTimeout(() => history.back()));
    // During the navigation no page can be asked.
    await until(() => page.evaluate(() => window.heard?.includes("2")).catch(() => false));
    assert.deepEqual(await messages(page), [1, 2], "the page was restored");
    assert.equal(server.open().length, 1);
  }
});
