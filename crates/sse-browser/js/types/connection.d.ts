/**
 * Creates a connection that is not connected yet.
 *
 * @param {import("./types.js").SSESource} source
 * @param {import("./types.js").Sink} sink
 * @param {import("./types.js").World} world
 * @returns {import("./types.js").Source}
 */
export function createConnection(source: import("./types.js").SSESource, sink: import("./types.js").Sink, world: import("./types.js").World): import("./types.js").Source;
