// Tests of the hooks with React 18 and 19, in Chromium and rendered on a server.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import test, { before, after } from "node:test";
import { build } from "esbuild";
import { startChromium, until } from "./support/browsers.mjs";
import { createReact } from "./support/react.mjs";
import { serveStreams, waitFor } from "./support/streams.mjs";
import { system } from "./support/server.mjs";

const root = new URL("..", import.meta.url).pathname;

let browser;
const ends = [];
before(async () => { browser = await startChromium({ after: (end) => ends.push(end) }); });
after(async () => { for (const end of ends) await end(); });

/** Builds the app with the React of a folder. */
async function bundle(folder, options = {}) {
  const require = createRequire(`${folder}package.json`);
  const paths = ["react", "react-dom/client", "react-dom/server", "react/jsx-runtime"].map((name) => [name, require.resolve(name)]);
  const { outputFiles } = await build({
    entryPoints: [`${root}test/support/app.jsx`],
    bundle: true,
    write: false,
    format: "esm",
    jsx: "automatic",
    alias: Object.fromEntries(paths),
    define: { "process.env.NODE_ENV": '"development"' },
    ...options,
  });
  return outputFiles[0].text;
}

test("hooks hide nothing that a client has", async () => {
  const { INITIAL, createSSE } = await import("../src/client.js");
  const { createHooks } = await import("../src/hooks.js");
  const { React, render } = createReact();
  const { useSSE, useNotifications } = createHooks(React);
  // React itself reads and subscribes; callbacks are options.
  const notForComponents = ["getSnapshot", "subscribe", "listen", "lastEventId"];
  const expected = [...Object.keys(createSSE()), ...Object.keys(INITIAL)].filter((name) => !notForComponents.includes(name));
  for (const use of [useSSE, useNotifications]) {
    let members;
    render(() => { members = Object.keys(use({ enabled: false })); })();
    assert.deepEqual(expected.filter((name) => !members.includes(name)), []);
  }
});

test("modules with hooks are for the client", async () => {
  for (const name of ["hooks", "react"]) {
    assert.match(await readFile(`${root}src/${name}.js`, "utf8"), /^"use client";\n/);
  }
});

for (const [version, folder] of [["18", `${root}react18/`], ["19", root]]) {
  async function open(t) {
    const script = await bundle(folder);
    const server = await serveStreams(t, ({ url, response }) => {
      if (url.pathname === "/app.js") return response.writeHead(200, { "content-type": "text/javascript" }).end(script);
      if (url.pathname !== "/app") return false;
      const page = '<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/app.js"></script>';
      return response.writeHead(200, { "content-type": "text/html" }).end(page);
    });
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
    await page.goto(`${server.url}/app`);
    const streams = () => server.streams.filter(({ url }) => url.pathname === "/api/sse");
    const says = (id, text) => waitFor(page, ([id, text]) => document.getElementById(id)?.textContent === text, [id, text]);
    const data = (id) => page.evaluate((id) => ({ ...document.getElementById(id).dataset }), id);
    await says("a", "connected");
    await says("b", "connected");
    return { server, page, streams, says, data, errors };
  }

  test(`React ${version}: StrictMode, and two components, open one stream; the hook has the members of a client`, async (t) => {
    const { server, page, streams, data, errors } = await open(t);
    await page.waitForTimeout(150);
    assert.equal(streams().length, 1);
    assert.equal((await data("a")).members, "attempt,clearMessages,clientId,connect,disconnect,error,isConnected,isConnecting,lastMessage,messages,nextRetryAt,on,role,state,userId");
    server.publish("same");
    server.publish("same");
    await waitFor(page, () => document.getElementById("b").dataset.count === "3");
    const calls = await page.evaluate(() => window.calls.filter((call) => call.startsWith("a")));
    assert.deepEqual(calls, ["a connect", "a connection", "a notification", "a notification"]);
    server.publish("one more");
    await waitFor(page, () => document.getElementById("a").dataset.last === '{"message":"one more"}');
    assert.equal((await data("a")).count, "3", "they are capped");
    assert.deepEqual(errors, []);
  });

  test(`React ${version}: a heartbeat renders nothing, and a listener receives every event of a burst`, async (t) => {
    const { server, page, says } = await open(t);
    await page.evaluate(() => { window.all = []; window.sse.a.on("notification", ({ data }) => window.all.push(data.message)); });
    const { response } = server.open()[0];
    const block = (id) => `id: e-${id}\nevent: notification\ndata: {"message":"${id}"}\n\n`;
    response.write(Array.from({ length: 30 }, (_, index) => block(index + 1)).join(""));
    await waitFor(page, () => window.all.length === 30);
    const renders = await page.evaluate(() => window.renders);
    for (let beat = 40; beat < 45; beat++) response.write(`id: e-${beat}\nevent: heartbeat\ndata: {}\n\n`);
    await waitFor(page, () => window.calls.filter((call) => call === "a heartbeat").length === 5);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
    assert.equal(await page.evaluate(() => window.renders), renders);
    // The stream's own names, and logging out.
    assert.equal(await page.evaluate(() => window.sse.a.clientId), `c${server.streams.indexOf(server.open()[0]) + 1}`);
    await page.evaluate(() => window.sse.a.disconnect({ everywhere: true }));
    await says("a", "over");
    await says("b", "over");
    await server.settlesAt(0);
  });

  test(`React ${version}: new inline callbacks never reconnect, and the latest is called`, async (t) => {
    const { page, streams, server } = await open(t);
    for (let tick = 0; tick < 5; tick++) await page.evaluate((tick) => window.set({ tick, token: `t${tick}` }), tick);
    server.publish("1");
    await waitFor(page, () => window.calls.filter((call) => call === "a notification").length === 1);
    assert.equal(streams().length, 1);
    server.streams.at(-1).response.destroy();
    await until(() => streams().length === 2);
    assert.equal(streams()[1].request.headers.authorization, "t4");
  });

  test(`React ${version}: disconnect is a component's own, and the last one ends the stream`, async (t) => {
    const { page, streams, says, server, data } = await open(t);
    await page.evaluate(() => window.sse.a.disconnect());
    await says("a", "over");
    server.publish("1");
    await waitFor(page, () => document.getElementById("b").dataset.last === '{"message":"1"}');
    assert.equal((await data("a")).count, "1", "only the greeting");
    await page.evaluate(() => { window.sse.b.clearMessages(); window.sse.b.disconnect(); });
    await says("b", "over");
    await until(() => streams().every(({ isOpen }) => !isOpen));
    assert.equal((await data("b")).count, "0");
    await page.evaluate(() => window.sse.a.connect());
    await says("a", "connected");
    await page.evaluate(() => window.set({ streams: [] }));
    await until(() => streams().every(({ isOpen }) => !isOpen));
    await page.evaluate(() => window.set({ streams: ["c"], url: "/api/sse?other" }));
    await says("c", "connected");
    assert.equal(streams().length, 3);
  });

  test(`React ${version}: another url is another stream; errors are told`, async (t) => {
    const { page, streams, says, server, data } = await open(t);
    await page.evaluate(() => window.set({ url: "/api/sse?x=1" }));
    await until(() => streams().filter(({ isOpen }) => isOpen).length === 1 && streams().length === 2);
    await says("a", "connected");
    server.streams.at(-1).response.end(system("disconnected", { reason: "spam", reconnect: false }));
    await says("a", "over");
    assert.equal((await data("a")).error, "stay_away");
  });

  test(`React ${version}: useNotifications`, async (t) => {
    const { page, streams, server } = await open(t);
    await page.evaluate(() => window.set({ bell: true }));
    await until(() => streams().length === 2);
    await waitFor(page, () => document.getElementById("bell"));
    await page.waitForTimeout(150);
    streams()[1].response.write('event: notification\ndata: {"type":"success","title":"T","message":"one"}\n\nevent: notification\ndata: {"message":"two"}\n\nevent: notification\ndata: nonsense\n\n');
    await waitFor(page, () => document.getElementById("bell").dataset.unread === "2");
    assert.deepEqual(await page.locator("#bell button").allTextContents(), ["info  two", "success T one", "Read"]);
    await page.click("text=success T one");
    await waitFor(page, () => document.getElementById("bell").dataset.unread === "1");
    await page.click("#read");
    await waitFor(page, () => document.getElementById("bell").dataset.unread === "0");
    assert.deepEqual(await page.locator("#bell button").allTextContents(), ["info  two", "Read"]);
    assert.equal(server.open().length, 2);
  });

  test(`React ${version}: a client of the app's own outlives the component`, async (t) => {
    const { page, streams, says } = await open(t);
    await page.evaluate(() => window.set({ own: true }));
    await says("own", "over");
    await page.evaluate(() => window.own.connect());
    await says("own", "connected");
    await page.evaluate(() => window.set({ own: false }));
    await page.waitForTimeout(150);
    assert.equal(await page.evaluate(() => window.own.getSnapshot().state), "open");
    await page.evaluate(() => window.set({ own: true }));
    await says("own", "connected");
    assert.equal(streams().length, 2);
  });

  test(`React ${version}: on a server it renders, and connects nothing`, async (t) => {
    const path = await mkdtemp(`${folder}node_modules/.ssr-`);
    t.after(() => rm(path, { recursive: true }));
    const source = `import { renderToString } from "react-dom/server"; import { createElement } from "react"; import { App } from "./test/support/app.jsx";
      globalThis.fetch = () => { throw new Error("it connects"); };
      export const html = renderToString(createElement(App));`;
    const script = await bundle(folder, { entryPoints: undefined, stdin: { contents: source, resolveDir: root, loader: "jsx" },
      platform: "node", format: "cjs", banner: { js: "const window = {};" } });
    await writeFile(`${path}/app.cjs`, script);
    const { html } = createRequire(`${path}/`)("./app.cjs");
    assert.match(html, /<p id="a"[^>]*>over<\/p>/);
  });
}
