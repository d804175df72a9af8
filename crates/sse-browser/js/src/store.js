// State that is never changed, only replaced, and who wants to know.

/**
 * A store as React's `useSyncExternalStore` and Svelte want it.
 *
 * @template Value
 * @param {Value} value
 */
export function createStore(value) {
  /** @type {Set<(value: Value) => void>} */
  const listeners = new Set();
  return {
    getSnapshot: () => value,
    /** @param {(value: Value) => void} listener Called with the value at once, and after each change. */
    subscribe: (listener) => {
      // Of its own, so that a listener may be there twice.
      const mine = (/** @type {Value} */ value) => listener(value);
      listeners.add(mine);
      listener(value);
      return () => { listeners.delete(mine); };
    },
    /** @param {Partial<Value>} change */
    set: (change) => {
      value = { ...value, ...change };
      for (const listener of [...listeners]) listener(value);
    },
  };
}

/**
 * Calls somebody else's function. What it throws is for the page to hear, not for the stream.
 *
 * @template {any[]} A
 * @param {((...values: A) => void) | undefined} run
 * @param {A} values
 */
export function call(run, ...values) {
  try {
    run?.(...values);
  } catch (error) {
    // As an uncaught error, wherever this runs.
    setTimeout(() => { throw error; });
  }
}
