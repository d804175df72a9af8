// What the hub says about its streams: fetched as one, so that its parts agree.

import { $, say } from "./dom.js";

const EVERY_MS = 2000, SHOWN = 30;

/**
 * @param {{ query: (procedure: string, input?: object) => Promise<any> }} api
 * @param {(overview: { stats: any, streams: any[] } | undefined) => void} show Called with
 *   undefined if the hub cannot be asked.
 */
export function startOverview(api, show) {
  /** Set once the hub has refused this visitor. */
  let isRefused = false;

  const refresh = async () => {
    if (document.hidden || isRefused) return;
    try {
      const [stats, { items }] =
        await Promise.all([api.query("getStats", { byUser: false }), api.query("getConnections", { limit: SHOWN })]);
      show({ stats, streams: items });
    } catch (error) {
      // If the hub does not answer, the status of the stream says so.
      isRefused = !!error.isRefused;
      show(undefined);
    }
    /** @type {HTMLElement} */ (document.querySelector("[data-overview]")).hidden = isRefused;
    say("nobody", isRefused ? "Only administrators of this hub see its statistics and who is connected." : "Nobody yet.");
  };

  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
  refresh();
  return {
    refresh,
    /** Asks again, since the visitor may be another one now. */
    restart: () => {
      isRefused = false;
      return refresh();
    },
  };
}
