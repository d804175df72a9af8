/**
 * Returns the environment of this script. Nothing in it is used before a client connects, so that
 * servers can render.
 *
 * @returns {import("./types.js").World}
 */
export function browser(): import("./types.js").World;
/**
 * Adds listeners. Returns a function that removes them.
 *
 * @param {readonly (readonly [EventTarget | undefined, type: string, run: () => void])[]} listeners
 */
export function listenTo(listeners: readonly (readonly [EventTarget | undefined, type: string, run: () => void])[]): () => void;
/**
 * Reports when the page sleeps and wakes. Returns a function that stops the reports.
 *
 * It listens to `pagehide` and not to `unload`, which would keep the page out of the back-forward
 * cache. It listens to `pageshow` whether or not the event says `persisted`, which iOS does not
 * always set.
 *
 * @param {import("./types.js").World} world
 * @param {{ sleep: () => void, wake: () => void, pausesWhenHidden: boolean }} page
 */
export function watchPage({ window, document }: import("./types.js").World, { sleep, wake, pausesWhenHidden }: {
    sleep: () => void;
    wake: () => void;
    pausesWhenHidden: boolean;
}): () => void;
