// The stream of this page: the client, and the controls for it.

import { createSSE } from "/sse/client.js";
import { credentials, signIn } from "./api.js";
import { $, clock, element, say } from "./dom.js";

const WORDS = { idle: "Not connected", connecting: "Connecting", open: "Connected", waiting: "Waiting", closed: "Not connected", failed: "Failed" };
const ROLES = { alone: "has a stream of its own", leader: "has the stream for all tabs", follower: "listens to another tab" };

/** The network of the page, which a visitor can cut. */
function createNetwork() {
  let isCut = false;
  const cuts = new Set();
  return {
    get isCut() { return isCut; },
    set isCut(is) {
      isCut = is;
      if (is) for (const cut of [...cuts]) cut.abort(new TypeError("this page pretends to be offline"));
    },
    fetch: (url, init) => {
      if (isCut) return Promise.reject(new TypeError("this page pretends to be offline"));
      const cut = new AbortController();
      cuts.add(cut);
      init.signal.addEventListener("abort", () => cuts.delete(cut));
      return fetch(url, { ...init, signal: AbortSignal.any([init.signal, cut.signal]) });
    },
  };
}

const words = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);

/**
 * Opens the stream, and connects its controls.
 *
 * @param {{ onMessage: (message: any, isOwn: boolean) => void, onGreeted: () => void,
 *   onCaller: () => void, complain: (text: string) => void, settle: () => void,
 *   api: { mutate: (procedure: string, input: object) => Promise<any> } }} page
 */
export function startConnection({ onMessage, onGreeted, onCaller, complain, settle, api }) {
  const asked = new URLSearchParams(location.search);
  const network = createNetwork();
  const topics = new Set(words(asked.get("topics") ?? ""));
  let client, unsubscribe = () => {};
  $("user").value = $("user").dataset.name = asked.get("user") ?? "";
  $("share").checked = asked.get("share") !== "no";

  const name = () => $("user").dataset.name;

  const remember = () => {
    const query = new URLSearchParams();
    if (name()) query.set("user", name());
    if (topics.size) query.set("topics", [...topics].join());
    if (!$("share").checked) query.set("share", "no");
    history.replaceState(null, "", location.pathname + (query.size ? `?${query}` : ""));
  };

  const show = ({ state, role, clientId, userId, nextRetryAt, attempt, error }) => {
    $("status").dataset.state = state;
    say("status-text", network.isCut && state !== "open" ? "Offline" : WORDS[state]);
    const isThere = state === "open";
    say("client-id", isThere ? clientId ?? "–" : "–");
    say("user-id", isThere ? userId ?? "anonymous" : "–");
    say("role", isThere ? ROLES[role] : "–");
    say("toggle", state === "idle" || state === "closed" || state === "failed" ? "Connect" : "Disconnect");
    $("toggle").classList.toggle("main", $("toggle").textContent === "Connect");
    $("reconnect").disabled = state === "idle" || state === "closed";
    const wait = state === "waiting" && nextRetryAt ? `next attempt in ${Math.max(0, Math.ceil((nextRetryAt - Date.now()) / 1000))} s` : "";
    const who = `${userId ?? "anonymous"} · ${clientId?.slice(0, 8)}`;
    const detail = isThere ? who : wait && attempt > 1 ? `${wait}, after ${attempt} failures` : wait;
    $("status-detail").textContent = detail;
    $("status-detail").hidden = !detail;
    if (isThere) settle();
    else if (error?.code === "unauthorized") complain("This hub asks who you are. Sign in on your site and reload this page, or enter a token below.");
    else if (error && ["failed", "closed"].includes(state)) complain(error.message);
    if (error?.code === "unauthorized") $("sign-in").hidden = false;
    else if (isThere && !credentials().authorization) $("sign-in").hidden = true;
  };

  const open = () => {
    client?.disconnect();
    unsubscribe();
    const user = name();
    const mine = client = createSSE({
      url: "/api/sse",
      query: () => ({ ...(user && { user }), ...(topics.size && { topics: [...topics].join() }) }),
      headers: credentials,
      user: user || null,
      share: $("share").checked && user !== "",
      maxReconnectAttempts: Infinity,
      reconnectInterval: 1000,
      raw: true,
      maxMessages: 0,
      fetch: network.fetch,
      onMessage: (message) => {
        if (mine !== client) return;
        if (message.type === "heartbeat") say("heartbeat", clock(message.timestamp));
        if (message.type === "connection") onGreeted();
        onMessage(message);
      },
    });
    unsubscribe = client.subscribe(show);
    client.connect();
    draw();
    remember();
    onCaller();
  };

  const draw = () => {
    $("topics").replaceChildren(...[...topics].map((topic) => {
      const leave = () => change("leave", [topic]);
      return element("li", {}, element("button", { type: "button", "aria-label": `Leave the topic ${topic}`, onclick: leave }, topic));
    }));
  };

  /** Joins or leaves topics on the open stream. The next stream opens with the resulting topics. */
  const change = async (procedure, names) => {
    const { state, clientId } = client.getSnapshot();
    try {
      if (state === "open") await api.mutate(procedure, { clientId, topics: names });
      for (const topic of names) procedure === "join" ? topics.add(topic) : topics.delete(topic);
      settle();
    } catch (error) {
      complain(`Could not ${procedure}: ${error.message}`);
    }
    draw();
    remember();
  };

  $("stream").addEventListener("submit", (event) => {
    event.preventDefault();
    settle();
    $("user").dataset.name = $("user").value.trim();
    open();
  });
  $("share").addEventListener("change", open);
  $("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    settle();
    signIn($("token").value.trim());
    open();
  });
  $("topic-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const names = words($("topic").value);
    if (!names.length) return;
    await change("join", names);
    if (names.every((topic) => topics.has(topic))) $("topic").value = "";
  });
  $("toggle").addEventListener("click", () => {
    settle();
    const { state } = client.getSnapshot();
    if (["idle", "closed", "failed"].includes(state)) client.connect();
    else client.disconnect();
  });
  $("reconnect").addEventListener("click", () => {
    client.disconnect();
    client.connect();
  });
  $("offline").addEventListener("click", () => {
    network.isCut = !network.isCut;
    $("offline").setAttribute("aria-pressed", String(network.isCut));
    say("offline", network.isCut ? "Go online" : "Go offline");
    if (!network.isCut) client.connect();
    show(client.getSnapshot());
  });
  setInterval(() => { if (client.getSnapshot().state === "waiting") show(client.getSnapshot()); }, 500);
  open();
  return { clientId: () => client.getSnapshot().clientId, isOpen: () => client.getSnapshot().state === "open", userId: () => client.getSnapshot().userId };
}
