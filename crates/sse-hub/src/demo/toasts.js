// New notifications, shown for a while at the edge of the page.

import { $, element } from "./dom.js";

const MOST = 4, STAYS_MS = 6000;
const NAMES = { info: "Info", success: "Success", warning: "Warning", error: "Error" };

export function startToasts() {
  /** @param {any} notification */
  const show = ({ type, title, message }) => {
    let timer;
    const remove = () => {
      clearTimeout(timer);
      toast.remove();
    };
    const stay = () => clearTimeout(timer);
    const wait = () => { timer = setTimeout(remove, STAYS_MS); };
    const toast = element("div", { class: "toast", "data-tone": type, onmouseenter: stay, onmouseleave: wait, onfocusin: stay, onfocusout: wait },
      element("div", {},
        element("span", { class: "kind" }, NAMES[type]),
        title && element("strong", {}, title),
        element("p", {}, message)),
      element("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: remove }, "×"));
    $("toasts").append(toast);
    while ($("toasts").children.length > MOST) $("toasts").firstChild.remove();
    wait();
  };
  return { show };
}
