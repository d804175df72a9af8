// A hub in configured mode for one test, and a backend that sends through it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import "./limit.mjs";

const program = process.env.SSE_HUB ?? new URL("../../../../../target/debug/sse-hub", import.meta.url).pathname;

/** Key of the backend in tests. */
const BACKEND = "0123456789abcdef0123456789abcdef-backend";

/**
 * Starts a hub on a free port of 127.0.0.1. The hub ends with the test.
 *
 * @param {import("node:test").TestContext} test
 * @param {{ secrets: Record<string, string>, options: string[] }} setting secrets by the names of
 *   their variables
 */
export async function startHub(test, { secrets, options }) {
  const hub = spawn(program, ["--listen", "127.0.0.1:0", "--drain", "1", "--drain-delay", "0", "--log", "warn", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env.PATH, SSE_HUB_BACKEND_KEY: BACKEND, ...secrets },
  });
  const kill = () => hub.kill("SIGKILL");
  process.once("exit", kill);
  const exited = once(hub, "exit");
  test.after(async () => {
    hub.kill("SIGTERM");
    await exited;
    process.off("exit", kill);
  });
  for await (const line of createInterface({ input: hub.stdout })) {
    const origin = line.match(/^listening on (.*)$/)?.[1];
    if (origin) return { origin, backend: backend(origin) };
  }
  throw new Error("the hub ended before it listened");
}

/** @param {string} origin */
function backend(origin) {
  const headers = { authorization: `Bearer ${BACKEND}`, "content-type": "application/json" };
  /** @param {string} procedure @param {object} [input] input of a mutation */
  return async (procedure, input) => {
    const request = input ? { method: "POST", body: JSON.stringify(input) } : {};
    const answer = await fetch(`${origin}/api/trpc/sse.${procedure}`, { headers, ...request });
    const { result, error } = await answer.json();
    if (error) throw new Error(`${procedure}: ${error.message}`);
    return result.data;
  };
}
