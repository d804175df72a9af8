// The app as in development: Vite as a proxy of the hub, and a real browser.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import test from "node:test";
import { chromium } from "playwright-core";
import { createServer } from "vite";

const root = new URL("..", import.meta.url).pathname;

async function startHub(t) {
  const program = process.env.SSE_HUB ?? `${root}../../target/debug/sse-hub`;
  const hub = spawn(program, ["--listen", "127.0.0.1:0", "--drain", "1", "--drain-delay", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(hub, "exit");
  t.after(async () => {
    hub.kill("SIGTERM");
    await exited;
  });
  for await (const line of createInterface({ input: hub.stdout })) {
    const address = line.match(/^listening on (.*)$/)?.[1];
    if (address) return address;
  }
  throw new Error("the hub ended before it listened");
}

test("notifications arrive, are read and dismissed", async (t) => {
  process.env.HUB = await startHub(t);
  const vite = await createServer({ root, server: { host: "127.0.0.1", port: 0 }, logLevel: "warn" });
  await vite.listen();
  t.after(() => vite.close());
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 120_000 });
  t.after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(vite.resolvedUrls.local[0]);
  await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  await page.getByRole("button", { name: "Notify me" }).click();
  await page.getByText("Your export is ready").waitFor();
  await page.getByText("1 unread").waitFor();
  // Two components in StrictMode share one stream.
  await page.getByText("reached 1").waitFor();
  await page.getByRole("button", { name: "Mark all read" }).click();
  await page.getByText("0 unread").waitFor();
  await page.getByRole("button", { name: "Dismiss" }).click();
  await page.getByText("Your export is ready").waitFor({ state: "detached" });
  assert.deepEqual(errors, []);
});
