// A parser for the event-stream format, exactly as the WHATWG HTML standard defines it (section
// 9.2.6). It accepts bytes in pieces of any size.

import { limit } from "./limits.js";

/**
 * An event as the standard dispatches it.
 *
 * @typedef {object} ParsedEvent
 * @property {string} type The event's type; `message` if the event has no type.
 * @property {string} data The data lines, joined by LF.
 * @property {string} [id] The id in this block.
 * @property {string} lastEventId The last event id at this event: its own or an inherited id.
 * @property {string} [raw] The lines of the block, comments included, each ended by LF; only with
 *   the option `raw`. Comments that would make it longer than `maxEventBytes` are left out.
 */

/**
 * An event that was skipped because of its length.
 *
 * @typedef {Pick<ParsedEvent, "id" | "lastEventId">} SkippedEvent
 */

/**
 * @typedef {object} ParserOptions
 * @property {(event: ParsedEvent) => void} onEvent
 * @property {(id: string) => void} [onId] Called when the last event id is set, with or without an
 *   event; called before the event.
 * @property {(milliseconds: number) => void} [onRetry] Called at the end of a `retry` line.
 * @property {(text: string) => void} [onComment] Called with the text after the colon, unchanged.
 * @property {string} [lastEventId] The last event id of an earlier stream.
 * @property {(event: SkippedEvent) => void} [onSkip] Called instead of `onEvent` for an event of
 *   more than `maxEventBytes`; at once if the event's id is known, else at the end of its block.
 * @property {number} [maxEventBytes] Maximum length of a block in bytes of UTF-8, without line ends
 *   and comments; default 4 Mi.
 * @property {boolean} [raw] `true` if events keep their lines.
 */

const encoder = new TextEncoder();

/** @param {string} text */
const isAscii = (text) => /^[\0-\x7f]*$/.test(text);

/**
 * Creates a parser for one stream. The parser dispatches an event at the byte that ends its blank
 * line, which can be a CR. A block that the end of the stream cuts off is discarded together with
 * the parser.
 *
 * The parser keeps at most a few times `maxEventBytes`. An event that is longer is skipped, except
 * for its `id` and `retry`. A longer comment, or a longer line of a skipped event, is discarded.
 *
 * @param {ParserOptions} options
 * @returns {{ feed: (bytes: Uint8Array) => void }}
 */
export function createParser({ onEvent, onId, onRetry, onComment, onSkip, lastEventId = "", maxEventBytes, raw = false }) {
  const most = limit("maxEventBytes", maxEventBytes);
  // Removes exactly one byte order mark, even if it is split between pieces.
  const decoder = new TextDecoder();
  let line = "", lineSize = 0, isComment = false, isLineLost = false, afterCr = false;
  /** `true` if the current piece has one byte a character. */
  let isPlain = false;
  let data = "", type = "", idBuffer = lastEventId, block = "", blockSize = 0, size = 0;
  let isSkipping = false, isSkipped = false;
  /** @type {string | undefined} */
  let ownId;

  /** @param {string} text */
  const grow = (text) => {
    if (isLineLost || !text) return;
    // Reading the beginning of a growing line would copy the line each time.
    if (!line) isComment = text[0] === ":";
    line += text;
    lineSize += isPlain || isAscii(text) ? text.length : encoder.encode(text).length;
    if (!isSkipping && !isComment && size + lineSize > most) {
      isSkipping = true;
      data = type = block = "";
      if (ownId !== undefined) skip();
    }
    if (lineSize <= most) return;
    isLineLost = true;
    line = "";
  };

  /** @param {Uint8Array} bytes */
  const feed = (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    if (!text) return;
    isPlain = isAscii(text);
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
      const whole = line, length = lineSize, isLost = isLineLost;
      line = "";
      lineSize = 0;
      isLineLost = false;
      if (!isLost) take(whole, length);
      if (lf >= 0 && lf < start) lf = text.indexOf("\n", start);
      if (cr >= 0 && cr < start) cr = text.indexOf("\r", start);
    }
    grow(text.slice(start));
  };

  /** @param {string} text @param {number} length */
  const take = (text, length) => {
    if (!text) return dispatch();
    const colon = text.indexOf(":");
    // Keep-alives do not count: they would accumulate if no blank line ends their block.
    if (colon) size += length;
    if (raw && !isSkipping && (colon || blockSize + length <= most)) {
      block += text + "\n";
      blockSize += length;
    }
    if (colon === 0) return onComment?.(text.slice(1));
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + (text[colon + 1] === " " ? 2 : 1));
    if (name === "id") { if (!value.includes("\0")) idBuffer = ownId = value; }
    else if (name === "retry" && /^[0-9]+$/.test(value)) onRetry?.(Number(value));
    else if (isSkipping) return;
    else if (name === "data") data += value + "\n";
    else if (name === "event") type = value;
  };

  /**
   * Reports that the current event is skipped. The last event id is set now, so that a client whose
   * stream breaks within the event resumes after the event.
   */
  const skip = () => {
    const id = ownId;
    isSkipped = true;
    ownId = undefined;
    if (id !== undefined) onId?.(id);
    onSkip?.({ id, lastEventId: idBuffer });
  };

  const dispatch = () => {
    if (isSkipping && !isSkipped) skip();
    const event = { type: type || "message", data: data.slice(0, -1), id: ownId, lastEventId: idBuffer, ...(raw && { raw: block }) };
    const isEvent = data !== "", isSet = ownId !== undefined;
    data = type = block = "";
    size = blockSize = 0;
    isSkipping = isSkipped = false;
    ownId = undefined;
    if (isSet) onId?.(idBuffer);
    if (isEvent) onEvent(event);
  };

  return { feed };
}
