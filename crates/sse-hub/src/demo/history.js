// The received events: newest first, searchable, each with its raw text.

import { $, clock, element, say } from "./dom.js";

const MOST = 200;
const GROUPS = ["notification", "system", "connection", "heartbeat"];
const TONES = ["info", "success", "warning", "error"];

const groupOf = (type) => (GROUPS.includes(type) ? type : "own");

const toneOf = ({ type, data }) => {
  if (type === "notification") return TONES.includes(data?.type) ? data.type : "info";
  return { system: "system", connection: "accent", heartbeat: "plain" }[type] ?? "accent";
};

const nameOf = ({ type, data }) => {
  if (type === "notification") return toneOf({ type, data });
  return type === "system" ? data?.event ?? type : type;
};

/** Returns the nodes of a line. */
function textOf({ type, data }) {
  if (type === "notification" && data?.message !== undefined) {
    return element("span", { class: "text" }, data.title && element("b", {}, data.title), data.title && " ", String(data.message));
  }
  if (type === "connection") return element("span", { class: "text" }, data?.userId ? `as ${data.userId}` : "as anonymous");
  if (type === "heartbeat") return element("span", { class: "text" }, "");
  const content = type === "system" ? data?.data : data;
  return element("span", { class: "text mono" }, content === undefined ? "" : typeof content === "string" ? content : JSON.stringify(content));
}

export function startHistory() {
  let count = 0;

  const isShown = (item) => {
    const box = /** @type {HTMLInputElement} */ (document.querySelector(`#types [value=${item.dataset.group}]`));
    return box.checked && item.dataset.words.includes($("search").value.trim().toLowerCase());
  };

  const filter = () => {
    const items = [.../** @type {HTMLCollectionOf<HTMLElement>} */ ($("history").children)];
    for (const item of items) item.hidden = !isShown(item);
    const shown = items.filter((item) => !item.hidden).length;
    $("nothing").hidden = shown > 0;
    say("nothing", items.length ? "No message matches." : "No messages yet.");
  };

  /** @param {any} message @param {number | undefined} latency */
  const add = (message, latency) => {
    const summary = element("summary", {},
      element("time", { datetime: new Date(message.timestamp).toISOString() }, clock(message.timestamp)),
      element("span", { class: "what" }, element("span", { class: "type" }, nameOf(message)), textOf(message)),
      element("span", { class: "latency" }, latency === undefined ? "" : `${latency} ms`));
    const item = element("li", { class: "new", "data-type": message.type, "data-group": groupOf(message.type), "data-tone": toneOf(message) },
      element("details", {}, summary, element("pre", { tabindex: "0", "aria-label": "Text on the wire" }, message.raw ?? "")));
    item.dataset.words = `${message.type} ${message.raw}`.toLowerCase();
    item.hidden = !isShown(item);
    $("history").prepend(item);
    while ($("history").children.length > MOST) $("history").lastChild.remove();
    if (message.type !== "heartbeat") say("count", ++count);
    if (!item.hidden) $("nothing").hidden = true;
  };

  $("search").addEventListener("input", filter);
  $("types").addEventListener("change", filter);
  $("clear").addEventListener("click", () => {
    $("history").replaceChildren();
    count = 0;
    say("count", "");
    filter();
  });
  return { add };
}
