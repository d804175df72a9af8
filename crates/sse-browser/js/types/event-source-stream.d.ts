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
export function eventSourceStream(url: string, { credentials, types }: import("./types.js").SSESource, attempt: import("./fetch-stream.js").Attempt, world: import("./types.js").World): Promise<void>;
