// Creates elements without any markup in strings.

/** @template {HTMLElement} [T=any] @param {string} id @returns {T} */
export const $ = (id) => /** @type {any} */ (document.getElementById(id));

/**
 * Creates an element with attributes and children. Texts are never parsed as markup.
 *
 * @param {string} name
 * @param {Record<string, any>} [attributes] `on…` are listeners.
 * @param {(Node | string | null | undefined | false)[]} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => child));
  return made;
}

/** Sets a text only if it differs, since screen readers announce every change. */
export function say(id, text) {
  const node = $(id);
  if (node.textContent !== String(text)) node.textContent = text;
}

export const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** Formats a number for reading: 12, 1,234, 12.3k. */
export function short(number) {
  if (number >= 100_000) return `${(number / 1000).toFixed(0)}k`;
  return number >= 10_000 ? `${(number / 1000).toFixed(1)}k` : number.toLocaleString("en");
}
