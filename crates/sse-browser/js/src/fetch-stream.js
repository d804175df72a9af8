// One attempt over `fetch`.

import { SSEError, refusal } from "./error.js";
import { createParser } from "./parser.js";

/**
 * The parameters of one attempt, and the functions that receive its reports.
 *
 * @typedef {object} Attempt
 * @property {AbortSignal} signal
 * @property {string} lastEventId
 * @property {number} [maxEventBytes]
 * @property {boolean} [raw]
 * @property {(headers?: Headers) => void} open
 * @property {() => void} bytes Called for all bytes, even a comment.
 * @property {(event: import("./parser.js").ParsedEvent) => void} event
 * @property {(event: import("./parser.js").SkippedEvent) => void} skip
 * @property {(id: string) => void} id
 * @property {(milliseconds: number) => void} retry
 */

/**
 * Opens a stream and reads it; resolves when the server ends the stream.
 *
 * @param {string} url
 * @param {RequestInit} init
 * @param {Attempt} attempt
 * @param {import("./types.js").World} world
 */
export async function fetchStream(url, init, attempt, world) {
  const { signal, lastEventId } = attempt;
  const headers = new Headers(init.headers);
  // If a client accepts only streams, as an `EventSource` does, the server avoids the statuses
  // that this client understands.
  headers.set("accept", "text/event-stream, */*;q=0.1");
  if (lastEventId) headers.set("last-event-id", utf8(lastEventId));
  const fetch = world.fetch ?? globalThis.fetch;
  const response = await broken(fetch(url, { ...init, headers, signal, cache: "no-store" }));
  if (response.status !== 200 || !/^text\/event-stream\s*(;|$)/i.test(response.headers.get("content-type") ?? "")) {
    throw refusal(response, await beginning(response), world.now(), init.method);
  }
  attempt.open(response.headers);
  // A response with 200 has a body, which can be empty.
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const parser = createParser({
    ...attempt,
    onEvent: attempt.event,
    onSkip: attempt.skip,
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
 * Returns the beginning of a response that is not a stream. The beginning says what is wrong; the
 * whole response might never end.
 *
 * @param {Response} response
 */
async function beginning({ body }) {
  const reader = body?.getReader();
  if (!reader) return "";
  const { value } = await broken(reader.read());
  // The result of cancelling does not matter.
  reader.cancel().catch(() => {});
  return new TextDecoder().decode(value?.subarray(0, 1024)).trim();
}

/**
 * Converts a rejection to a `network` error: browsers do not report why a connection broke.
 *
 * @template T
 * @param {Promise<T>} promise
 */
async function broken(promise) {
  try {
    return await promise;
  } catch (cause) {
    throw new SSEError("network", `the connection broke: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/**
 * Encodes a header as `fetch` requires: one character for each byte of its UTF-8, which
 * `EventSource` sends as well.
 *
 * @param {string} text
 */
const utf8 = (text) => Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
