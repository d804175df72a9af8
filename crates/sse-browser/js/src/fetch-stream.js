// One attempt over `fetch`.

import { SSEError, refusal } from "./error.js";
import { createParser } from "./parser.js";

/**
 * What an attempt tells.
 *
 * @typedef {object} Attempt
 * @property {AbortSignal} signal
 * @property {string} lastEventId
 * @property {number} [maxEventBytes]
 * @property {boolean} [raw]
 * @property {(headers?: Headers) => void} open
 * @property {() => void} bytes Something came, if only a comment.
 * @property {(event: import("./parser.js").ParsedEvent) => void} event
 * @property {(id: string) => void} id
 * @property {(milliseconds: number) => void} retry
 */

/**
 * Opens a stream and reads it; resolves when the server ends it.
 *
 * @param {string} url
 * @param {RequestInit} init
 * @param {Attempt} attempt
 * @param {import("./types.js").World} world
 */
export async function fetchStream(url, init, attempt, world) {
  const { signal, lastEventId } = attempt;
  const headers = new Headers(init.headers);
  // A client that accepts nothing but streams, as an `EventSource` does, is spared the statuses
  // that this one understands.
  headers.set("accept", "text/event-stream, */*;q=0.1");
  if (lastEventId) headers.set("last-event-id", utf8(lastEventId));
  const fetch = world.fetch ?? globalThis.fetch;
  const response = await broken(fetch(url, { ...init, headers, signal, cache: "no-store" }));
  if (response.status !== 200 || !/^text\/event-stream\s*(;|$)/i.test(response.headers.get("content-type") ?? "")) {
    throw refusal(response, await beginning(response), world.now());
  }
  attempt.open(response.headers);
  // An answer of 200 has a body, if an empty one.
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const parser = createParser({
    ...attempt,
    onEvent: attempt.event,
    onId: attempt.id,
    onRetry: attempt.retry,
  });
  for (;;) {
    const { done, value } = await broken(reader.read());
    if (done || signal.aborted) return;
    attempt.bytes();
    parser.feed(value);
  }
}

/**
 * The first words of an answer that is not a stream: they say what is wrong, and it may never end.
 *
 * @param {Response} response
 */
async function beginning({ body }) {
  const reader = body?.getReader();
  if (!reader) return "";
  const { value } = await broken(reader.read());
  // Whether it can still be cancelled is of no interest.
  reader.cancel().catch(() => {});
  return new TextDecoder().decode(value?.subarray(0, 1024)).trim();
}

/**
 * Browsers say of a connection that breaks only that it did.
 *
 * @template T
 * @param {Promise<T>} promise
 */
async function broken(promise) {
  try {
    return await promise;
  } catch (cause) {
    throw new SSEError("network", `the connection broke: ${cause instanceof Error ? cause.message : cause}`, {
      retryable: true,
      cause,
    });
  }
}

/**
 * A header's bytes as `fetch` wants them: one character each. `EventSource` sends UTF-8 as well.
 *
 * @param {string} text
 */
const utf8 = (text) => String.fromCharCode(...new TextEncoder().encode(text));
