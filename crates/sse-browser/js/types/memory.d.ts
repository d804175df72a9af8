/**
 * Creates an empty memory. It knows every position of the stream since the latest `begin`, up to
 * its limits, and the events between them.
 */
export function createMemory(): {
    /** Forgets everything; the stream continues after a position. @param {string} at */
    begin: (at: string) => void;
    /** Returns the latest position. */
    end: () => string | undefined;
    /**
     * Adds an event or, if it tells apps nothing, its position.
     *
     * @param {import("./types.js").Arrival} event
     */
    add: (event: import("./types.js").Arrival) => void;
    /**
     * Returns the events after a position; undefined if the position is not known.
     *
     * @param {string} at
     */
    after: (at: string) => import("./types.js").Arrival[] | undefined;
};
