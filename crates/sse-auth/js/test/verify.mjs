// The crate as a program that answers line by line.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const program =
  process.env.SSE_AUTH_VERIFY ?? new URL("../../../../target/debug/examples/verify", import.meta.url).pathname;

/**
 * Starts the program for one test. Returns a function that asks the program for the caller of a
 * request.
 *
 * @param {import("node:test").TestContext} test
 * @returns {(question: object) => Promise<any>}
 */
export function verifier(test) {
  const verify = spawn(program, { stdio: ["pipe", "pipe", "inherit"], env: { PATH: process.env.PATH } });
  const exited = once(verify, "exit");
  test.after(async () => {
    verify.stdin.end();
    await exited;
  });
  const answers = createInterface({ input: verify.stdout })[Symbol.asyncIterator]();
  return async (question) => {
    verify.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error("it ended before it answered");
    return JSON.parse(value);
  };
}

/** @param {string} name @param {string} value @returns {[string, string][]} */
export const cookie = (name, value) => [["cookie", `${name}=${value}`]];

/** @param {string} token @returns {[string, string][]} */
export const bearer = (token) => [["authorization", `Bearer ${token}`]];

/** Seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);
