// The event-stream format, exactly as the WHATWG HTML standard has it (section 9.2.6), from bytes
// in pieces of any size.

import { SSEError } from "./error.js";

/**
 * An event as the standard dispatches it.
 *
 * @typedef {object} ParsedEvent
 * @property {string} type `message` when the stream named none.
 * @property {string} data Its data lines, joined by LF.
 * @property {string} [id] The id that stood in this block.
 * @property {string} lastEventId The last event id at this event: its own, or an earlier one.
 * @property {string} [raw] The lines of its block, comments included, each ended by LF; only with the option `raw`.
 */

/**
 * @typedef {object} ParserOptions
 * @property {(event: ParsedEvent) => void} onEvent
 * @property {(id: string) => void} [onId] The last event id was set, with or without an event; called before the event.
 * @property {(milliseconds: number) => void} [onRetry] At the end of the line.
 * @property {(text: string) => void} [onComment] What follows the colon, as it is.
 * @property {string} [lastEventId] The id that an earlier stream left.
 * @property {number} [maxEventBytes] The longest block, counted in UTF-16 units; default 4 Mi.
 * @property {boolean} [raw] Whether events keep their lines.
 */

/**
 * Makes a parser for one stream. An event is dispatched at the byte that ends its blank line, a CR too; what the end of the stream
 * cuts off is discarded with the parser.
 *
 * `feed` throws an `SSEError` with the code `too_large`; the parser is of no use after that.
 *
 * @param {ParserOptions} options
 * @returns {{ feed: (bytes: Uint8Array) => void }}
 */
export function createParser({ onEvent, onId, onRetry, onComment, lastEventId = "", maxEventBytes = 2 ** 22, raw = false }) {
  // Takes off exactly one byte order mark, also one in pieces.
  const decoder = new TextDecoder();
  let line = "", afterCr = false;
  let data = "", type = "", idBuffer = lastEventId, block = "", size = 0;
  /** @type {string | undefined} */
  let ownId;

  /** @param {string} text */
  const grow = (text) => {
    line += text;
    size += text.length;
    if (size > maxEventBytes) throw new SSEError("too_large", `an event of more than ${maxEventBytes} bytes`);
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
      // Keep-alives would add up where nothing ends their block.
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
