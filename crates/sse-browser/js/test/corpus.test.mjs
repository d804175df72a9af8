// Chromium's own EventSource reads the corpus.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startChromium, until } from "./support/browsers.mjs";
import { begin, bytes, serve } from "./support/server.mjs";

const corpus = JSON.parse(await readFile(new URL("../../../sse-testkit/corpus/event-streams.json", import.meta.url)));

test("Chromium agrees with the corpus", async (t) => {
  const resumed = new Map();
  const { url } = await serve(t, async (request, response) => {
    const number = Number(request.url.slice("/case/".length));
    if (resumed.has(number)) {
      // The client reconnected: checks the id from which it resumes.
      resumed.set(number, Buffer.from(request.headers["last-event-id"] ?? "", "latin1").toString());
      return response.writeHead(204).end();
    }
    resumed.set(number, undefined);
    begin(response);
    for (const piece of corpus[number].stream) {
      response.write(bytes(piece));
      await sleep(1);
    }
    response.end();
  });
  const browser = await startChromium(t);
  const page = await browser.newPage();
  await page.goto(url);
  const types = [...new Set(corpus.flatMap(({ events }) => events.map(({ type }) => type)).concat("x", "y", "message"))];
  const read = (number) => page.evaluate(async ([number, types]) => {
    const source = new EventSource(`/case/${number}`), events = [];
    for (const type of types) {
      source.addEventListener(type, ({ data, lastEventId }) => events.push({ type, data, lastEventId }));
    }
    await new Promise((resolve) => { source.onerror = () => { if (source.readyState === EventSource.CLOSED) resolve(); }; });
    return events;
  }, [number, types]);

  const all = await Promise.all(corpus.map((_, number) => read(number)));
  await until(() => [...resumed.values()].every((id) => id !== undefined));
  corpus.forEach(({ name, events, lastEventId, chromium = events }, number) => {
    assert.deepEqual(all[number], chromium.map(({ type, data, lastEventId }) => ({ type, data, lastEventId })), name);
    // A header's value has no spaces around it (RFC 9110, section 5.5).
    assert.equal(resumed.get(number), lastEventId.trim(), `${name}: where it resumes`);
  });
});
