// A parser for the event-stream format, exactly as the WHATWG HTML standard defines it (section
// 9.2.6). It accepts bytes in pieces of any size.

import { SSEError } from "./error.js";

/**
 * An event as the standard dispatches it.
 *
 * @typedef {object} ParsedEvent
 * @property {string} type The event's type; `message` if the event has no type.
 * @property {string} data The data lines, joined by LF.
 * @property {string} [id] The id in this block.
 * @property {string} lastEventId The last event id at this event: its own or an inherited id.
 * @property {string} [raw] The lines of the block, comments included, each ended by LF; only with
 *   the option `raw`.
 */

/**
 * @typedef {object} ParserOptions
 * @property {(event: ParsedEvent) => void} onEvent
 * @property {(id: string) => void} [onId] Called when the last event id is set, with or without an
 *   event; called before the event.
 * @property {(milliseconds: number) => void} [onRetry] Called at the end of a `retry` line.
 * @property {(text: string) => void} [onComment] Called with the text after the colon, unchanged.
 * @property {string} [lastEventId] The last event id of an earlier stream.
 * @property {number} [maxEventBytes] Maximum length of a block in UTF-16 units; default 4 Mi.
 * @property {boolean} [raw] `true` if events keep their lines.
 */

/**
 * Creates a parser for one stream. The parser dispatches an event at the byte that ends its blank
 * line, which can be a CR. A block that the end of the stream cuts off is discarded together with
 * the parser.
 *
 * `feed` throws an `SSEError` with the code `too_large`. Do not use the parser after that.
 *
 * @param {ParserOptions} options
 * @returns {{ feed: (bytes: Uint8Array) => void }}
 */
export function createParser({ onEvent, onId, onRetry, onComment, lastEventId = "", maxEventBytes = 2 ** 22, raw = false }) {
  // Removes exactly one byte order mark, even if it is split between pieces.
  const decoder = new TextDecoder();
  let line = "", afterCr = false;
  let data = "", type = "", idBuffer = lastEventId, block = "", size = 0;
  /** @type {string | undefined} */
  let ownId;

  /** @param {string} text */
  const grow = (text) => {
    line += text;
    size += text.length;
    if (size > maxEventBytes) throw new SSEError("too_large", `an event has more than ${maxEventBytes} bytes`);
  };

  /** @param {Uint8Array} bytes */
  const feed = (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    if (!text) return;
    let start = afterCr && text[0] === "\n" ? 1 : 0;
    afterCr = false;
    let lf = text.indexOf("\n", start), cr = text.indexOf("\r", start);
    while (lf >= 0 || cr >= 0) {
      const isCr = cr >= 0 && (lf < 0 || cr < lf);
      let end = isCr ? cr : lf;
      grow(text.slice(start, end));
      start = end + 1;
      if (isCr) {
        if (start === text.length) afterCr = true;
        else if (text[start] === "\n") start++;
      }
      const whole = line;
      line = "";
      take(whole);
      if (lf >= 0 && lf < start) lf = text.indexOf("\n", start);
      if (cr >= 0 && cr < start) cr = text.indexOf("\r", start);
    }
    grow(text.slice(start));
  };

  /** @param {string} text */
  const take = (text) => {
    if (!text) return dispatch();
    if (raw) block += text + "\n";
    const colon = text.indexOf(":");
    if (colon === 0) {
      // Keep-alives would accumulate if no blank line ends their block.
      if (!raw) size -= text.length;
      return onComment?.(text.slice(1));
    }
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + (text[colon + 1] === " " ? 2 : 1));
    if (name === "data") data += value + "\n";
    else if (name === "event") type = value;
    else if (name === "id") { if (!value.includes("\0")) idBuffer = ownId = value; }
    else if (name === "retry" && /^[0-9]+$/.test(value)) onRetry?.(Number(value));
  };

  const dispatch = () => {
    const event = { type: type || "message", data: data.slice(0, -1), id: ownId, lastEventId: idBuffer, ...(raw && { raw: block }) };
    const isEvent = data !== "", isSet = ownId !== undefined;
    data = type = block = "";
    size = 0;
    ownId = undefined;
    if (isSet) onId?.(idBuffer);
    if (isEvent) onEvent(event);
  };

  return { feed };
}
