// Nothing outlives its test: not the tests themselves, and not what they start.

/** What a file of tests may take in all, on a busy machine. */
const LIMIT_MS = 600_000;

/** Long enough for one thing to become so. */
export const PATIENCE_MS = 60_000;

setTimeout(() => {
  console.error(`ended: more than ${LIMIT_MS / 1000} s`);
  process.exit(1);
}, LIMIT_MS).unref();
process.once("SIGTERM", () => process.exit(1));

/**
 * Waits until something is so.
 *
 * @param {() => unknown} isSo
 */
export async function until(isSo) {
  for (const end = Date.now() + PATIENCE_MS; !(await isSo());) {
    if (Date.now() > end) throw new Error(`it has not become so: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
