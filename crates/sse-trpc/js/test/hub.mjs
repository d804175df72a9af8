// A hub of its own for each test, stopped by its process.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const program = process.env.SSE_HUB ?? new URL("../../../../target/debug/sse-hub", import.meta.url).pathname;

/** Starts a hub on a free port. The hub ends with the test. */
export async function startHub(test, ...options) {
  const hub = spawn(program, ["--listen", "127.0.0.1:0", "--drain", "1", "--drain-delay", "0", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env.PATH, SSE_HUB_LOG: "warn" },
  });
  const exited = once(hub, "exit");
  test.after(async () => {
    hub.kill("SIGTERM");
    await exited;
  });
  for await (const line of createInterface({ input: hub.stdout })) {
    const address = line.match(/^listening on (.*)$/)?.[1];
    if (address) return { url: `${address}/api/trpc`, address };
  }
  throw new Error("the hub ended before it listened");
}

/** Waits until a condition is true; the test's own timeout ends the wait. */
export async function until(isSo) {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}
