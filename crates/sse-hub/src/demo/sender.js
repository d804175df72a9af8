// The form that sends notifications, system events and custom events to the visitor, a user, a
// topic or everyone.

import { $, say } from "./dom.js";

const BURST = 50, MOST_UNDERWAY = 200;

const capital = (word) => word[0].toUpperCase() + word.slice(1);

/**
 * @param {{ mutate: (procedure: string, input: object) => Promise<any> }} api
 * @param {{ userId: () => string | null, clientId: () => string | null,
 *   complain: (text: string) => void,
 *   settle: () => void, sent: () => void }} page
 */
export function startSender(api, { userId, clientId, complain, settle, sent }) {
  const chosen = (group) => /** @type {HTMLInputElement} */ (document.querySelector(`input[name=${group}]:checked`)).value;

  /** Returns the target in the form of the API. */
  const target = () => {
    switch ($("to").value) {
      case "me": return userId() ? { user: userId() } : { client: clientId() };
      case "user": return { user: $("whom").value.trim() };
      case "topic": return { topic: $("whom").value.trim() };
      default: return "all";
    }
  };

  const data = () => {
    const text = $("data").value.trim();
    if (!text) return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`the data are not JSON (${error.message})`);
    }
  };

  /** Returns the procedure and its input. Messages without a procedure use `publish`. */
  const call = () => {
    const to = target(), what = chosen("what"), event = $("event").value.trim();
    if (what === "own") return ["publish", { target: to, event, data: data() ?? null }];
    if (what === "system") {
      const system = { event, ...(data() !== undefined && { data: data() }) };
      if (to === "all") return ["broadcastSystemEvent", system];
      if (to.user !== undefined) return ["sendSystemEvent", { userId: to.user, ...system }];
      return ["publish", { target: to, event: "system", data: { ...system, timestamp: Date.now() } }];
    }
    const type = chosen("kind"), title = $("title").value.trim();
    const notification = { message: $("message").value, ...(title && { title }) };
    if (to === "all") return ["broadcastNotification", { type, ...notification }];
    if ($("to").value === "me" && userId()) return [`send${capital(type)}`, notification];
    if (to.user !== undefined) return ["sendNotification", { userId: to.user, type, ...notification }];
    return ["publish", { target: to, event: "notification", data: { type, ...notification, timestamp: Date.now() } }];
  };

  /**
   * Own events on their way to this page, which carry no time themselves.
   *
   * @type {{ words: string, at: number }[]}
   */
  const underway = [];
  const words = (event, data) => `${event} ${JSON.stringify(data)}`;

  const send = async (times) => {
    const buttons = [$("submit"), $("burst")];
    for (const button of buttons) button.disabled = true;
    say("outcome", "");
    try {
      const [procedure, input] = call();
      if (input.event && input.data !== undefined && procedure === "publish") {
        for (let time = 0; time < times; time++) underway.push({ words: words(input.event, input.data), at: Date.now() });
        underway.splice(0, underway.length - MOST_UNDERWAY);
      }
      const answers = await Promise.all(Array.from({ length: times }, () => api.mutate(procedure, input)));
      const matched = answers.reduce((sum, answer) => sum + answer.matched, 0);
      const streams = `${matched / times} ${matched === times ? "stream" : "streams"}`;
      say("outcome", times === 1 ? `Reached ${streams}.` : `${times} events, each reached ${streams}.`);
      settle();
      sent();
    } catch (error) {
      complain(`Not sent: ${error.isRefused ? `this hub does not allow it (${error.message})` : error.message}`);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  };

  const arrange = () => {
    const what = chosen("what"), to = $("to").value;
    for (const part of document.querySelectorAll("[data-for]")) {
      const fields = /** @type {HTMLElement} */ (part);
      fields.hidden = !fields.dataset.for?.split(" ").includes(what);
    }
    $("whom-field").hidden = to !== "user" && to !== "topic";
    say("whom-label", to === "topic" ? "Topic" : "User");
  };

  $("send").addEventListener("change", (event) => {
    if (event.target.name === "what") $("event").value = chosen("what") === "system" ? "user_profile_updated" : "order_shipped";
    arrange();
  });
  $("send").addEventListener("submit", (event) => {
    event.preventDefault();
    send(1);
  });
  $("burst").addEventListener("click", () => send(BURST));
  arrange();
  return {
    /**
     * Returns the time at which this page sent an own event, if it did.
     *
     * @param {{ type: string, data: any }} message
     */
    sentAt: ({ type, data }) => {
      const at = underway.findIndex((one) => one.words === words(type, data));
      return at < 0 ? undefined : underway.splice(at, 1)[0].at;
    },
  };
}
