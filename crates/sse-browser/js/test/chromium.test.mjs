// Tests of the client in Chromium, with a server that imitates the faults of servers and networks.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test, { before, after } from "node:test";
import { startChromium, until } from "./support/browsers.mjs";
import { begin, hello, system } from "./support/server.mjs";
import { connect, heard, isState, serveStreams, snapshot, waitFor } from "./support/streams.mjs";

let browser;
const ends = [];
before(async () => { browser = await startChromium({ after: (end) => ends.push(end) }); });
after(async () => { for (const end of ends) await end(); });

async function open(t, answer, options = {}) {
  const server = await serveStreams(t, answer);
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(server.url);
  await connect(page, { reconnectInterval: 100, ...options });
  return { server, context, page };
}

test("a stream, its events, and its end by the client", async (t) => {
  const { server, page } = await open(t);
  await isState(page, "open");
  assert.equal(server.streams[0].request.headers.accept, "text/event-stream, */*;q=0.1");
  server.publish("ä😀");
  await waitFor(page, () => window.heard.includes("ä😀"));
  assert.deepEqual([(await snapshot(page)).clientId, (await snapshot(page)).lastEventId], ["c1", "e-1"]);
  await page.evaluate(() => window.client.disconnect());
  await server.settlesAt(0);
  assert.equal((await snapshot(page)).state, "closed");
});

test("a cut connection reconnects and resumes", async (t) => {
  const { server, page } = await open(t);
  await isState(page, "open");
  server.publish("1");
  await waitFor(page, () => window.heard.includes("1"));
  server.streams[0].response.destroy();
  server.publish("2");
  await waitFor(page, () => window.heard.includes("2"));
  assert.deepEqual(await heard(page), ["connect", "1", "disconnect", "error network", "connect", "2"]);
  assert.equal(server.streams[1].lastEventId, "e-1");
});

test("an ended stream reconnects", async (t) => {
  const { server, page } = await open(t);
  await isState(page, "open");
  server.streams[0].response.end();
  await until(() => server.streams.length === 2);
  await isState(page, "open");
  assert.deepEqual(await heard(page), ["connect", "disconnect", "error ended", "connect"]);
});

test("a 503 is retried, unlike with a native EventSource", async (t) => {
  const { server, page } = await open(t, ({ response }, count) => count < 3 && response.writeHead(503).end("busy"));
  await isState(page, "open");
  assert.equal(server.streams.length, 3);
  assert.deepEqual(await heard(page), ["error status 503", "error status 503", "connect"]);
});

for (const [status, state, code, attempts = 1] of [[204, "closed", "stay_away"], [401, "failed", "unauthorized", 2], [403, "failed", "status"], [404, "failed", "status"]]) {
  test(`${status} is the end of it`, async (t) => {
    const { server, page } = await open(t, ({ response }) => response.writeHead(status).end());
    await isState(page, state);
    assert.deepEqual((await snapshot(page)).error, { code, status });
    await page.waitForTimeout(300);
    assert.equal(server.streams.length, attempts);
  });
}

for (const type of ["text/html", "text/plain", ""]) {
  test(`an answer of the type "${type}" is the end of it`, async (t) => {
    const { page } = await open(t, ({ response }) => {
      response.writeHead(200, type ? { "content-type": type } : {});
      // The client continues: a browser's own EventSource reports nothing at all here.
      return response.write("data: x\n\n");
    });
    await isState(page, "failed");
    assert.equal((await snapshot(page)).error.code, "type");
  });
}

for (const [name, expected, run] of [
  ["<base>", "/other/events", () => { document.head.insertAdjacentHTML("afterbegin", "<base href='/other/'>"); return window; }],
  ["a srcdoc frame", "/events", () => new Promise((resolve) => {
    const frame = Object.assign(document.createElement("iframe"), { srcdoc: "<p>", onload: () => resolve(frame.contentWindow) });
    document.body.append(frame);
  })],
  ["a blob: frame", "/events", () => new Promise((resolve) => {
    const src = URL.createObjectURL(new Blob(["<p>"], { type: "text/html" }));
    const frame = Object.assign(document.createElement("iframe"), { src, onload: () => resolve(frame.contentWindow) });
    document.body.append(frame);
  })],
]) {
  for (const transport of ["fetch", "eventsource"]) {
    test(`relative to the base of ${name}: ${transport}`, async (t) => {
      const { server, page } = await open(t);
      await isState(page, "open");
      await page.evaluate(async ([source, modules, transport]) => {
        const realm = await (0, eval)(source)();
        // The frame imports modules of its own, so that they use its document.
        const { createSSE } = await realm.eval(`import("${modules}")`);
        window.client = createSSE({ url: "events", transport });
        window.client.connect();
      }, [`(${run})`, `${server.url}/sse/client.js`, transport]);
      await isState(page, "open");
      assert.equal(server.streams.at(-1).url.pathname, expected);
    });
  }
}

for (const transport of ["fetch", "eventsource"]) {
  test(`relative to a worker's script: ${transport}`, async (t) => {
    const { server, page } = await open(t, ({ url, response }) => {
      if (url.pathname !== "/scripts/worker.js") return false;
      const run = `import { createSSE } from "/sse/client.js"; createSSE({ url: "events", transport: "${transport}" }).connect();`;
      return response.writeHead(200, { "content-type": "text/javascript" }).end(run);
    });
    await page.evaluate(() => void new Worker("/scripts/worker.js", { type: "module" }));
    await until(() => server.streams.some(({ url }) => url.pathname === "/scripts/events"));
    await page.evaluate((modules) => {
      const run = `import { createSSE } from "${modules}"; createSSE({ url: "blob-events", transport: "fetch" }).connect();`;
      new Worker(URL.createObjectURL(new Blob([run], { type: "text/javascript" })), { type: "module" });
    }, `${server.url}/sse/client.js`);
    await until(() => server.streams.some(({ url }) => url.pathname === "/blob-events"));
  });
}

test("waits for a slow first byte, not for no response", async (t) => {
  const slow = await open(t, ({ response }, count) => {
    if (count === 1) setTimeout(() => begin(response, hello()), 300);
    return count === 1;
  });
  await isState(slow.page, "open");
  const none = await open(t, (_, count) => count === 1, { connectTimeout: 3000 });
  await isState(none.page, "open");
  assert.deepEqual(await heard(none.page), ["error timeout", "connect"]);
  await none.server.settlesAt(1);
});

test("silence reveals a half-open stream", async (t) => {
  const { server, page } = await open(t, ({ response }, count) => count === 1 && begin(response, hello({ heartbeatMs: 200 })));
  await until(() => server.streams.length === 2);
  await isState(page, "open");
  assert.deepEqual(await heard(page), ["connect", "disconnect", "error timeout", "connect"]);
});

test("silence reveals a network that drops everything", async (t) => {
  const server = await serveStreams(t, ({ response }) => {
    begin(response, hello({ heartbeatMs: 1200 }));
    const beat = setInterval(() => response.write(":\n"), 100);
    response.on("close", () => clearInterval(beat));
    return true;
  });
  let isSwallowing = false;
  const proxy = net.createServer((inside) => {
    const outside = net.connect(server.port, "127.0.0.1");
    inside.pipe(outside);
    outside.on("data", (bytes) => { if (!isSwallowing) inside.write(bytes); });
    for (const socket of [inside, outside]) socket.on("error", () => {});
    inside.on("close", () => outside.destroy());
    // As a server closes a connection that was idle for five seconds.
    outside.on("close", () => inside.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => proxy.close());
  const page = await browser.newPage();
  t.after(() => page.close());
  await page.goto(`http://127.0.0.1:${proxy.address().port}`);
  await connect(page, { reconnectInterval: 100 });
  await isState(page, "open");
  // Longer than the timeout for silence, which is the time that a busy machine can take for a
  // comment.
  await page.waitForTimeout(4000);
  assert.deepEqual(await heard(page), ["connect"], "comments keep it alive");
  isSwallowing = true;
  await waitFor(page, () => window.heard.includes("error timeout"));
  isSwallowing = false;
  await isState(page, "open");
});

test("401 renews credentials; tickets last one attempt", async (t) => {
  const used = new Set();
  const { server, page } = await open(t, ({ url, response }) => {
    const ticket = url.searchParams.get("ticket");
    if (!ticket || used.has(ticket)) return response.writeHead(401).end();
    used.add(ticket);
    return false;
  });
  await isState(page, "failed");
  await page.evaluate(async () => {
    const { createSSE } = await import("/sse/client.js");
    let count = 0;
    window.client = createSSE({ ticket: async () => `t${++count}`, reconnectInterval: 100 });
    window.client.connect();
  });
  await isState(page, "open");
  server.streams.at(-1).response.destroy();
  await until(() => used.size === 2);
  await isState(page, "open");
});

test("a cookie that the page renewed outlives auth_expired", async (t) => {
  const { server, page } = await open(t, ({ request, response }, count) =>
    count > 1 && !request.headers.cookie?.includes("session=new") && response.writeHead(401).end());
  await isState(page, "open");
  await page.evaluate(() => { document.cookie = "session=new"; });
  server.streams[0].response.write(system("auth_expired", { reason: "expired", reconnect: true }));
  await until(() => server.streams.length === 2);
  await isState(page, "open");
  assert.deepEqual(await heard(page), ["connect", "disconnect", "connect"]);
});

test("a too large event is skipped, and the stream goes on", async (t) => {
  const { server, page } = await open(t, undefined, { maxEventBytes: 1000 });
  await isState(page, "open");
  server.publish("x".repeat(100_000));
  server.publish("2");
  await waitFor(page, () => window.heard.includes("2"));
  assert.deepEqual(await heard(page), ["connect", "error too_large", "gap too_large", "2"]);
  assert.deepEqual([(await snapshot(page)).lastEventId, server.streams.length], ["e-2", 1]);
});

test("reconnects after a shutdown, not after a ban", async (t) => {
  const { server, page } = await open(t);
  await isState(page, "open");
  const began = Date.now();
  server.streams[0].response.end(system("shutdown", { reason: "shutdown", reconnect: true }, "retry: 400\n"));
  await until(() => server.streams.length === 2);
  assert.ok(Date.now() - began >= 400);
  await isState(page, "open");
  server.streams[1].response.end(system("disconnected", { reason: "spam", reconnect: false }));
  await isState(page, "closed");
  await page.waitForTimeout(300);
  assert.equal(server.streams.length, 2);
});

test("offline and back", async (t) => {
  const { server, context, page } = await open(t, undefined, { maxReconnectAttempts: 2 });
  await isState(page, "open");
  await context.setOffline(true);
  server.streams[0].response.destroy();
  await isState(page, "waiting");
  await page.waitForTimeout(500);
  assert.deepEqual([(await snapshot(page)).state, (await snapshot(page)).attempt], ["waiting", 0]);
  await context.setOffline(false);
  await isState(page, "open");
});

test("the browser's own EventSource as transport", async (t) => {
  const { server, page } = await open(t, ({ response }, count) => count === 2 && response.writeHead(503).end(), { transport: "eventsource", types: ["own"] });
  await isState(page, "open");
  await page.evaluate(() => window.client.on("own", ({ data }) => window.heard.push(data)));
  server.publish("1");
  server.streams[0].response.write('event: own\ndata: "mine"\n\nevent: error\ndata: x\n\n');
  await waitFor(page, () => window.heard.includes("mine"));
  server.streams[0].response.destroy();
  server.publish("2");
  await waitFor(page, () => window.heard.includes("2"));
  assert.equal(server.streams.length, 3, "a 503 does not end it");
  assert.equal(server.streams[2].url.searchParams.get("lastEventId"), "e-1");
});
