// The latest events of a shared stream, for tabs that missed some.

/** Maximum number of events. */
const EVENTS = 200;
/** Maximum number of positions; heartbeats bring positions without events. */
const POSITIONS = 2000;

/**
 * Creates an empty memory. It knows every position of the stream since the latest `begin`, up to
 * its limits, and the events between them.
 */
export function createMemory() {
  /** @type {{ at: string, event?: import("./types.js").Arrival }[]} */
  let entries = [];
  let events = 0;

  return {
    /** Forgets everything; the stream continues after a position. @param {string} at */
    begin: (at) => {
      entries = [{ at }];
      events = 0;
    },
    /** Returns the latest position. */
    end: () => entries.at(-1)?.at,
    /**
     * Adds an event or, if it tells apps nothing, its position.
     *
     * @param {import("./types.js").Arrival} event
     */
    add: (event) => {
      const isKept = event.type !== "heartbeat" && event.type !== "connection";
      if (isKept) events++;
      else if (entries.at(-1)?.at === event.lastEventId) return;
      entries.push({ at: event.lastEventId, ...(isKept && { event }) });
      while (events > EVENTS || entries.length > POSITIONS) if (entries.shift()?.event) events--;
    },
    /**
     * Returns the events after a position; undefined if the position is not known.
     *
     * @param {string} at
     */
    after: (at) => {
      const index = entries.findLastIndex((entry) => entry.at === at);
      return index < 0 ? undefined : entries.slice(index + 1).flatMap(({ event }) => event ?? []);
    },
  };
}
