// Chromium, one for each file of tests.

import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/** Timeout that is long enough for a busy machine. */
const TIMEOUT_MS = 60_000;
export const START_MS = 2 * TIMEOUT_MS;

/** Starts the browser, and ends it after the test. */
export async function startChromium(test) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS, timeout: START_MS });
  test.after(() => browser.close());
  return {
    newContext: async () => patient(await browser.newContext()),
    newPage: async () => patient(await browser.newPage()),
  };
}

/** Sets the timeout of a context or a page. */
function patient(it) {
  it.setDefaultTimeout(TIMEOUT_MS);
  return it;
}

/** Does the same for a page of puppeteer, which counts navigations separately. */
export function patientPage(page) {
  page.setDefaultNavigationTimeout(TIMEOUT_MS);
  return patient(page);
}

/** Waits until a condition holds. */
export async function until(isSo) {
  for (const end = Date.now() + TIMEOUT_MS; !(await isSo());) {
    if (Date.now() > end) throw new Error(`it has not become so: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
