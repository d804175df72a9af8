// The connected users, and the actions on them.

import { $, clock, element, say } from "./dom.js";

const BAN_MS = 30_000;

/**
 * @param {{ mutate: (procedure: string, input: object) => Promise<any> }} api
 * @param {{ clientId: () => string | null, complain: (text: string) => void,
 *   refresh: () => void }} page
 */
export function startPeople(api, { clientId, complain, refresh }) {
  const kick = async (input) => {
    try {
      await api.mutate("disconnect", input);
    } catch (error) {
      complain(`Not kicked: ${error.message}`);
    }
    refresh();
  };

  const row = ({ clientId: id, userId, topics, connectedAt }) => {
    const who = userId ?? "Anonymous";
    const details = [`since ${clock(connectedAt)}`, ...(topics.length ? [topics.join(", ")] : [])].join(" · ");
    const ban = () => kick({ target: { user: userId }, reason: "banned for 30 seconds from the demo page", stayAwayMs: BAN_MS });
    return element("li", { "data-client": id },
      element("span", { class: userId ? "face" : "face nobody", "aria-hidden": "true" }, userId ? [...userId][0].toUpperCase() : "?"),
      element("b", {}, who, id === clientId() && element("span", { class: "you" }, "you")),
      element("div", { class: "buttons" },
        element("button", { type: "button", class: "quiet kick", "aria-label": `Kick ${who}`, title: "Ends this stream; the client can reconnect",
          onclick: () => kick({ target: { client: id }, reason: "kicked from the demo page" }) }, "Kick"),
        userId && element("button", { type: "button", class: "quiet away", "aria-label": `Ban ${who} for 30 seconds`,
          title: "Ends all streams of this user, and bans the user for 30 seconds", onclick: ban }, "Ban 30 s")),
      element("small", { title: `${id}\n${details}` }, details));
  };

  let shown = "";
  /** @param {{ stats: any, streams: any[] } | undefined} overview */
  const show = (overview) => {
    const { streams, total } = { streams: overview?.streams ?? [], total: overview?.stats.totalConnections ?? 0 };
    // Unchanged rows are not replaced, since the visitor can be about to press a button.
    const now = JSON.stringify([streams.map(({ clientId, topics }) => [clientId, topics]), total, clientId()]);
    if (now === shown) return;
    shown = now;
    const rows = streams.map(row);
    if (total > streams.length) rows.push(element("li", { class: "more" }, `and ${total - streams.length} more`));
    $("people").replaceChildren(...rows);
    say("people-count", total || "");
    $("nobody").hidden = rows.length > 0;
  };
  return { show };
}
