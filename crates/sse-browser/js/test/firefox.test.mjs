// The main paths in Firefox, as Debian has it, over WebDriver BiDi.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import test, { before, after } from "node:test";
import puppeteer from "puppeteer-core";
import { START_MS, patientPage, until } from "./support/browsers.mjs";
import { begin, hello, system } from "./support/server.mjs";
import { connect, heard, isRole, isState, messages, serveStreams, snapshot, waitFor } from "./support/streams.mjs";

let browser, home;
before(async () => {
  // A separate home directory: Firefox writes to it, and refuses the home of another user.
  home = await mkdtemp(`${tmpdir()}/firefox-`);
  browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
    headless: true,
    timeout: START_MS,
    env: { ...process.env, HOME: home },
  });
});
after(async () => {
  await browser?.close();
  await rm(home, { recursive: true, force: true });
});

async function open(t, { tabs = 1, answer, ...options } = {}) {
  const server = await serveStreams(t, answer);
  const pages = [];
  for (let number = 0; number < tabs; number++) {
    const page = patientPage(await browser.newPage());
    t.after(() => page.isClosed() || page.close());
    await page.goto(server.url);
    await connect(page, { reconnectInterval: 100, ...options });
    if (tabs > 1) await isState(page, "open");
    pages.push(page);
  }
  return { server, pages, page: pages[0] };
}

test("a cut stream resumes", async (t) => {
  const { server, page } = await open(t);
  await isState(page, "open");
  server.publish("1");
  await waitFor(page, () => window.heard.includes("1"));
  server.streams[0].response.destroy();
  server.publish("2");
  await waitFor(page, () => window.heard.includes("2"));
  assert.deepEqual(await messages(page), [1, 2]);
  assert.equal(server.streams[1].lastEventId, "e-1");
  await page.evaluate(() => window.client.disconnect());
  await server.settlesAt(0);
});

test("503 is retried; 204, 401 and a wrong type are not", async (t) => {
  const busy = await open(t, { answer: ({ response }, count) => count < 3 && response.writeHead(503).end() });
  await isState(busy.page, "open");
  assert.deepEqual(await heard(busy.page), ["error status 503", "error status 503", "connect"]);
  for (const [status, state, code] of [[204, "closed", "stay_away"], [401, "failed", "unauthorized"], [200, "failed", "type"]]) {
    const { page } = await open(t, { answer: ({ response }) => response.writeHead(status, status === 200 ? { "content-type": "text/html" } : {}).end() });
    await isState(page, state);
    assert.equal((await snapshot(page)).error.code, code);
  }
});

test("detects silence and understands a farewell", async (t) => {
  const { server, page } = await open(t, { answer: ({ response }, count) => count === 1 && begin(response, hello({ heartbeatMs: 200 })) });
  await until(() => server.streams.length === 2);
  await isState(page, "open");
  assert.ok((await heard(page)).includes("error timeout"));
  server.streams[1].response.end(system("disconnected", { reason: "spam", reconnect: false }));
  await isState(page, "closed");
});

test("another tab takes over when the leader closes", async (t) => {
  const { server, pages: [leader, ...others] } = await open(t, { tabs: 3, user: "ada" });
  assert.equal(server.streams.length, 1);
  let count = 0;
  const timer = setInterval(() => server.publish(String(++count)), 5);
  await waitFor(others[1], () => window.heard.includes("20"));
  await leader.close();
  await until(() => server.streams.length === 2);
  await server.settlesAt(1);
  clearInterval(timer);
  for (const page of others) {
    await waitFor(page, (count) => window.heard.includes(String(count)), count);
    assert.deepEqual(await messages(page), Array.from({ length: count }, (_, index) => index + 1));
  }
});

test("logging out ends all tabs", async (t) => {
  const { server, pages } = await open(t, { tabs: 2, user: "ada" });
  await isRole(pages[0], "leader");
  await pages[1].evaluate(() => window.client.disconnect({ everywhere: true }));
  for (const page of pages) await isState(page, "closed");
  await server.settlesAt(0);
});

test("the browser's own EventSource as transport", async (t) => {
  const { server, page } = await open(t, { transport: "eventsource" });
  await isState(page, "open");
  server.publish("1");
  await waitFor(page, () => window.heard.includes("1"));
  server.streams[0].response.destroy();
  server.publish("2");
  await waitFor(page, () => window.heard.includes("2"));
  assert.equal(server.streams[1].url.searchParams.get("lastEventId"), "e-1");
});
