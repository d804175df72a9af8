// Immutable state with listeners.

/**
 * Creates a store as React's `useSyncExternalStore` and Svelte expect it.
 *
 * @template Value
 * @param {Value} value
 */
export function createStore(value) {
  /** @type {Set<(value: Value) => void>} */
  const listeners = new Set();
  return {
    getSnapshot: () => value,
    /**
     * @param {(value: Value) => void} listener Called with the value at once, and after each
     *   change.
     */
    subscribe: (listener) => {
      // A new function for each call, so that a listener can subscribe twice.
      const mine = (/** @type {Value} */ value) => listener(value);
      listeners.add(mine);
      listener(value);
      return () => { listeners.delete(mine); };
    },
    /** @param {Partial<Value>} change */
    set: (change) => {
      const former = /** @type {any} */ (value);
      if (Object.entries(change).every(([name, one]) => Object.is(former[name], one))) return;
      value = { ...value, ...change };
      for (const listener of [...listeners]) call(listener, value);
    },
  };
}

/**
 * Calls a function of the app. Its errors are reported to the page and do not reach the stream.
 *
 * @template {any[]} A
 * @param {((...values: A) => void) | undefined} run
 * @param {A} values
 */
export function call(run, ...values) {
  try {
    run?.(...values);
  } catch (error) {
    // Rethrows as an uncaught error, in every environment.
    setTimeout(() => { throw error; });
  }
}
