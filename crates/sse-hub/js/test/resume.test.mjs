// The browser client in Chromium, on a hub with an event log, over an unreliable network.

import assert from "node:assert/strict";
import test from "node:test";
import { useChromium } from "./support/browser.mjs";
import { startHub } from "./support/hub.mjs";
import { until } from "./support/limit.mjs";
import { startNetwork } from "./support/network.mjs";

const openContext = useChromium();

test("nothing is missing after cuts, and nothing comes twice", async (t) => {
  const options = ["--auth-anonymous", "--join-anonymously", "news", "--backplane", "memory", "--retry", "100ms"];
  const hub = await startHub(t, { secrets: {}, options });
  const network = await startNetwork(t, hub.origin);
  const page = await (await openContext(t)).newPage();
  await page.goto(`${network.origin}/health/live`);
  await page.evaluate(async () => {
    const module = "/sse/client.js";
    const { createSSE } = await import(module);
    /** @type {{ numbers: number[], gaps: string[] }} */
    const seen = { numbers: [], gaps: [] };
    window.first = seen;
    window.second = createSSE({
      url: "/api/sse",
      topics: ["news"],
      reconnectInterval: 100,
      onMessage: (/** @type {any} */ { type, data }) => { if (type === "number") seen.numbers.push(data); },
      onGap: (/** @type {any} */ { reason }) => seen.gaps.push(reason),
    });
    window.second.connect();
  });
  const streams = async () => (await hub.backend("getStats")).totalConnections;
  await until(async () => (await streams()) === 1);

  let last = 0;
  /** @param {number} count */
  const publish = async (count) => {
    for (const end = last + count; last < end;) {
      last += 1;
      await hub.backend("publish", { target: last % 2 ? "all" : { topic: "news" }, event: "number", data: last });
    }
  };
  const arrived = () => until(() => page.evaluate((last) => window.first.numbers.length >= last, last));
  await publish(3);
  await arrived();
  for (let round = 0; round < 3; round += 1) {
    network.cut();
    await until(async () => (await streams()) === 0);
    await publish(5);
    network.heal();
    await arrived();
    await publish(1);
    await arrived();
  }
  const { numbers, gaps } = await page.evaluate(() => window.first);
  assert.deepEqual(numbers, Array.from({ length: last }, (_, index) => index + 1));
  assert.deepEqual(gaps, []);
  const { log } = await hub.backend("getStats");
  assert.deepEqual([log.resumed, log.replayed], [3, 15]);
});
