/**
 * Creates a store as React's `useSyncExternalStore` and Svelte expect it.
 *
 * @template Value
 * @param {Value} value
 */
export function createStore<Value>(value: Value): {
    getSnapshot: () => Value;
    /**
     * @param {(value: Value) => void} listener Called with the value at once, and after each
     *   change.
     */
    subscribe: (listener: (value: Value) => void) => () => void;
    /** @param {Partial<Value>} change */
    set: (change: Partial<Value>) => void;
};
/**
 * Calls a function of the app. Its errors are reported to the page and do not reach the stream.
 *
 * @template {any[]} A
 * @param {((...values: A) => void) | undefined} run
 * @param {A} values
 */
export function call<A extends any[]>(run: ((...values: A) => void) | undefined, ...values: A): void;
