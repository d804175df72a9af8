// React Query in a real browser: the built app, and the hub with a rewrite in front, as in Next.js.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import test from "node:test";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { startHub } from "../test/hub.mjs";

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [new URL("app.tsx", import.meta.url).pathname],
    bundle: true,
    write: false,
    jsx: "automatic",
    format: "esm",
    define: { "process.env.NODE_ENV": '"development"' },
  });
  return outputFiles[0].text;
}

/** Serves the app, and forwards its calls to the hub. */
async function serve(test, hub) {
  const script = await bundle();
  const page = '<!doctype html><title>App</title><div id="root"></div><script type="module" src="/app.js"></script>';
  const server = http.createServer((request, response) => {
    if (request.url.startsWith("/api/trpc")) {
      const { method, headers } = request;
      const onward = http.request(hub.address + request.url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      response.on("close", () => onward.destroy());
      request.pipe(onward);
    } else if (request.url === "/app.js") {
      response.writeHead(200, { "content-type": "text/javascript" }).end(script);
    } else {
      response.writeHead(200, { "content-type": "text/html" }).end(page);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${server.address().port}/`;
}

test("the four tRPC hooks work", async (t) => {
  const hub = await startHub(t, "--trpc-transformer", "superjson");
  const address = await serve(t, hub);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
    timeout: 120_000,
  });
  t.after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(address);
  const shows = (selector, text) =>
    page.waitForFunction(([selector, text]) => document.querySelector(selector)?.textContent.includes(text), [selector, text]);

  await shows("#live", "pending");
  await shows("#events", '"userId":"ada"');
  // StrictMode mounts twice; one stream remains.
  const stays = async () => {
    await page.click("#refresh");
    return (await page.textContent("#connections")) === "1";
  };
  while (!(await stays())) await page.waitForTimeout(20);
  await shows("#users", "ada");
  await shows("#listed", "1");

  await page.click("#send");
  await shows("#matched", "1");
  await shows("#events", 'notification {"type":"success","title":"Reports","message":"Your export is ready"');
  await page.click("#wrong");
  await shows("#error", "BAD_REQUEST: message: is empty");
  assert.deepEqual(errors, []);
});
