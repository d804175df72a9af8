// Chromium, and its network traffic.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { PATIENCE_MS, until } from "./limit.mjs";

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const OPTIONS = { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS, timeout: 2 * PATIENCE_MS };

/** Starts Chromium for a file of tests. Each visitor gets a separate context. */
export function useChromium() {
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => { browser = await chromium.launch(OPTIONS); });
  after(() => browser.close());
  /** @param {import("node:test").TestContext} test */
  return async (test) => {
    const context = await browser.newContext();
    context.setDefaultTimeout(PATIENCE_MS);
    test.after(() => context.close());
    return context;
  };
}

/**
 * Opens a browser that also sends cookies with `SameSite=None` to other sites. By default, Chromium
 * no longer does.
 *
 * @param {import("node:test").TestContext} test
 */
export async function openTrustingContext(test) {
  const folder = await mkdtemp(join(tmpdir(), "sse-hub-"));
  test.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "Default"));
  await writeFile(join(folder, "Default", "Preferences"), JSON.stringify({ profile: { cookie_controls_mode: 0 } }));
  const context = await chromium.launchPersistentContext(folder, OPTIONS);
  context.setDefaultTimeout(PATIENCE_MS);
  test.after(() => context.close());
  return context;
}

/**
 * @typedef {object} Exchange A request as sent over the network, including cookies. Responses that
 *   the page may not read are recorded too.
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} sent headers, by lower-case names
 * @property {number} status
 * @property {Record<string, string>} received headers, by lower-case names
 */

/**
 * Records the exchanges of a page, and of its preflights, with an origin.
 *
 * @param {import("playwright-core").Page} page
 * @param {string} origin
 */
export async function record(page, origin) {
  const session = await page.context().newCDPSession(page);
  /** @type {Map<string, Partial<Exchange> & { url?: string }>} */
  const exchanges = new Map();
  /** @param {string} id */
  const exchange = (id) => {
    const known = exchanges.get(id) ?? {};
    exchanges.set(id, known);
    return known;
  };
  session.on("Network.requestWillBeSent", ({ requestId, request: { method, url } }) =>
    Object.assign(exchange(requestId), { method, url, path: new URL(url).pathname }));
  session.on("Network.requestWillBeSentExtraInfo", ({ requestId, headers }) => {
    exchange(requestId).sent = lower(headers);
  });
  session.on("Network.responseReceivedExtraInfo", ({ requestId, headers, statusCode }) =>
    Object.assign(exchange(requestId), { received: lower(headers), status: statusCode }));
  await session.send("Network.enable");
  /**
   * Returns the exchanges so far. A request whose preflight is rejected is never sent.
   *
   * @param {string} method
   * @param {string} path
   */
  const answered = (method, path) =>
    /** @type {Exchange[]} */ ([...exchanges.values()].filter(({ url, sent, received, ...one }) =>
      url?.startsWith(`${origin}/`) && sent && received && one.method === method && one.path === path));
  return {
    answered,
    /**
     * Waits for at least `count` exchanges, and returns them.
     *
     * @param {string} method
     * @param {string} path
     * @param {number} [count]
     */
    waitFor: async (method, path, count = 1) => {
      await until(() => answered(method, path).length >= count);
      return answered(method, path);
    },
  };
}

/** @param {Record<string, string>} headers */
const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
