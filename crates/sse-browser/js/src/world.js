// The parts of the browser that a client needs.

/**
 * Returns the environment of this script. Nothing in it is used before a client connects, so that
 * servers can render.
 *
 * @returns {import("./types.js").World}
 */
export function browser() {
  const { document, navigator, BroadcastChannel } = globalThis;
  return {
    now: Date.now,
    random: Math.random,
    setTimeout: (run, delay) => setTimeout(run, delay),
    clearTimeout: (timer) => clearTimeout(timer),
    BroadcastChannel,
    // Available only in secure contexts.
    locks: navigator?.locks,
    window: typeof document === "undefined" ? undefined : globalThis,
    document,
    isOnline: () => navigator?.onLine ?? true,
    base: baseAddress(),
  };
}

/**
 * Returns the base of relative addresses. As for `fetch` and `EventSource`, the base is the
 * document's base address, which `<base>` can set and which a `srcdoc` frame inherits, or the
 * address of a worker. Nothing is relative to a `blob:` address, so its origin is used instead.
 */
function baseAddress() {
  const { document, location, origin } = globalThis;
  const base = document?.baseURI ?? location?.href;
  return base?.startsWith("blob:") ? origin : base;
}

/**
 * Adds listeners. Returns a function that removes them.
 *
 * @param {readonly (readonly [EventTarget | undefined, type: string, run: () => void])[]} listeners
 */
export function listenTo(listeners) {
  for (const [target, type, run] of listeners) target?.addEventListener(type, run);
  return () => {
    for (const [target, type, run] of listeners) target?.removeEventListener(type, run);
  };
}

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
export function watchPage({ window, document }, { sleep, wake, pausesWhenHidden }) {
  const seen = () => {
    if (document?.visibilityState !== "hidden") wake();
    else if (pausesWhenHidden) sleep();
  };
  return listenTo([
    [window, "pagehide", sleep], [window, "pageshow", wake], [window, "online", wake], [window, "focus", wake],
    [document, "freeze", sleep], [document, "resume", wake], [document, "visibilitychange", seen],
  ]);
}
