// Many browsers under Node, each with several tabs that share a stream and store their positions.
// Tabs are closed and restored again and again.
//
// The input and the output are those of `browsers.mjs`. A client is one tab of its browser, in
// turn the first, second or third. It begins where its stored position is, so everything after
// that position is due to it, unless it reports a gap.

import { once } from "node:events";
import { createInterface } from "node:readline";
import { createSSE } from "../../sse-browser/js/src/client.js";
import { createParts, createStorage } from "../../sse-browser/js/test/support/browser.mjs";

/** Number of tabs of a browser. */
const TABS = 3;
/** Minimum time until the next tab is closed or restored; the maximum is three times as long. */
const CHANGE_MS = 1000;
/** Time after which the tab of a client is restored. */
const RESTORED_MS = 300;

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, "line");
const { url, clients } = JSON.parse(line);
lines.on("close", () => process.exit(0));

/** @param {object} heard */
const tell = (heard) => process.stdout.write(`${JSON.stringify(heard)}\n`);

clients.forEach(({ user, topics }, client) => {
  const parts = createParts();
  const tabs = Array.from({ length: TABS }, (_, index) => ({
    isJudged: index === client % TABS,
    sessionStorage: createStorage(),
    /** @type {(() => void) | undefined} */
    close: undefined,
    hasBegun: false,
  }));

  const open = (/** @type {typeof tabs[number]} */ tab) => {
    const window = new EventTarget(), document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const sse = createSSE({
      url,
      topics,
      query: { user },
      user,
      share: true,
      storage: "local",
      reconnectInterval: 500,
      maxReconnectAttempts: Infinity,
      backoff: { factor: 2, max: 2000, jitter: "full" },
      maxMessages: 1,
      onMessage: ({ type, id = "", data }) => {
        // Whether a stream resumed is not known to the other tabs. They rely on gaps alone.
        if (tab.isJudged && type !== "connection") tell({ client, type, id, data });
      },
    }, { ...parts, sessionStorage: tab.sessionStorage, window, document });
    sse.subscribe(({ lastEventId }) => {
      if (!tab.isJudged || tab.hasBegun || !lastEventId) return;
      tab.hasBegun = true;
      tell({ client, type: "connection", id: lastEventId, data: { resumed: false } });
    });
    sse.connect();
    tab.close = () => {
      window.dispatchEvent(new Event("pagehide"));
      tab.close = undefined;
    };
  };

  const change = () => {
    const tab = tabs[Math.floor(Math.random() * TABS)];
    if (!tab.close) open(tab);
    else {
      tab.close();
      // Everything is due to the client in the end, so its tab is soon restored.
      if (tab.isJudged) setTimeout(() => open(tab), RESTORED_MS);
    }
    setTimeout(change, CHANGE_MS * (1 + 2 * Math.random()));
  };

  for (const tab of tabs) open(tab);
  setTimeout(change, CHANGE_MS);
});
