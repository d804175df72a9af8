// Chromium, one for each file of tests.

import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/** Starts it; ended after the test. */
export async function startChromium(test) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  test.after(() => browser.close());
  return browser;
}

/** Long enough for a busy machine. */
const PATIENCE_MS = 30_000;

/** Waits until something is so. */
export async function until(isSo) {
  for (const end = Date.now() + PATIENCE_MS; !(await isSo());) {
    if (Date.now() > end) throw new Error(`it has not become so: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
