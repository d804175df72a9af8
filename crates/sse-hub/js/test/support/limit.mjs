// Limits that end hanging tests, and the processes that they started.

/** Timeout for a file of tests on a busy machine. */
const LIMIT_MS = 600_000;

/** Timeout for a single condition. */
export const PATIENCE_MS = 60_000;

setTimeout(() => {
  console.error(`ended: more than ${LIMIT_MS / 1000} s`);
  process.exit(1);
}, LIMIT_MS).unref();
process.once("SIGTERM", () => process.exit(1));

/**
 * Waits until a condition is true.
 *
 * @param {() => unknown} isSo
 */
export async function until(isSo) {
  for (const end = Date.now() + PATIENCE_MS; !(await isSo());) {
    if (Date.now() > end) throw new Error(`it has not become so: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
