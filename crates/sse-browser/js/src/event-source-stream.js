// One attempt over the browser's own `EventSource`.

import { SSEError } from "./error.js";

/** The event types that every `sse-core` server sends, and the default type. */
const TYPES = ["message", "connection", "heartbeat", "notification", "system"];

/**
 * Opens a stream; rejects when the stream breaks. The reconnecting of `EventSource` is not used,
 * because it has no back-off and never retries after a response that is not a stream.
 *
 * @param {string} url
 * @param {import("./types.js").SSESource} source
 * @param {import("./fetch-stream.js").Attempt} attempt
 * @param {import("./types.js").World} world
 * @returns {Promise<void>}
 */
export function eventSourceStream(url, { credentials, types = [] }, attempt, world) {
  const EventSource = world.EventSource ?? globalThis.EventSource;
  const source = new EventSource(url, { withCredentials: credentials === "include" });
  return new Promise((resolve, reject) => {
    attempt.signal.addEventListener("abort", () => { source.close(); resolve(); });
    source.onopen = () => attempt.open();
    let { lastEventId } = attempt;
    for (const type of new Set([...TYPES, ...types])) {
      source.addEventListener(type, (event) => {
        const { data, lastEventId: id } = /** @type {MessageEvent} */ (event);
        attempt.bytes();
        // `EventSource` does not distinguish an event's own id from an inherited id.
        const own = id !== lastEventId ? id : undefined;
        lastEventId = id;
        if (own !== undefined) attempt.id(own);
        attempt.event({ type, data, id: own, lastEventId: id });
      });
    }
    source.onerror = (event) => {
      // The server can send an event of this type.
      if ("data" in event) return;
      source.close();
      reject(new SSEError("network", "the browser's EventSource failed"));
    };
  });
}
