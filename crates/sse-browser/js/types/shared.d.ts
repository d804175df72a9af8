/**
 * A message between tabs.
 *
 * @typedef {{ from: string } & (
 *   | { say: "ask", after?: string, isNew?: boolean }
 *   | { say: "connect" | "wake" | "stop" }
 *   | { say: "lead" | "state", state: Told, start: string }
 *   | { say: "event", event: import("./types.js").Arrival, number: number }
 *   | { say: "missed", to: string, after: string, end: string, number: number,
 *     events?: import("./types.js").Arrival[] }
 * )} Word
 */
/**
 * The parts of a snapshot that all tabs share.
 *
 * @typedef {Partial<Omit<import("./types.js").SSESnapshot, "error" | "role">>
 *   & { error?: { code: any, message: string, details: object } | null }} Told
 */
/**
 * Returns the key of a stream: tabs share a stream if their keys are equal. A `query` function does
 * not count, except that it is one. Returns undefined if `query` contains something that cannot be
 * compared by value, and therefore not with another tab.
 *
 * @param {import("./types.js").SSESource} source
 * @param {string} base
 */
export function shareKey({ url, topics, query, user }: import("./types.js").SSESource, base: string): string | undefined;
/**
 * Creates a source that has the stream, or receives events from the tab that has it.
 *
 * @param {string} key The key of the stream.
 * @param {import("./types.js").SSESource & { isNewTab?: boolean }} source
 * @param {import("./types.js").Sink} sink
 * @param {import("./types.js").World} world
 * @returns {import("./types.js").Source}
 */
export function createShared(key: string, source: import("./types.js").SSESource & {
    isNewTab?: boolean;
}, sink: import("./types.js").Sink, world: import("./types.js").World): import("./types.js").Source;
/**
 * A message between tabs.
 */
export type Word = {
    from: string;
} & ({
    say: "ask";
    after?: string;
    isNew?: boolean;
} | {
    say: "connect" | "wake" | "stop";
} | {
    say: "lead" | "state";
    state: Told;
    start: string;
} | {
    say: "event";
    event: import("./types.js").Arrival;
    number: number;
} | {
    say: "missed";
    to: string;
    after: string;
    end: string;
    number: number;
    events?: import("./types.js").Arrival[];
});
/**
 * The parts of a snapshot that all tabs share.
 */
export type Told = Partial<Omit<import("./types.js").SSESnapshot, "error" | "role">> & {
    error?: {
        code: any;
        message: string;
        details: object;
    } | null;
};
