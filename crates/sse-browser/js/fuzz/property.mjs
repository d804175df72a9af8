// Properties of every stream: pieces make no difference, a foreign parser finds the same, raw
// blocks mean what their events say, and a limit only skips events.

import assert from "node:assert/strict";
import { createParser as foreignParser } from "eventsource-parser";
import { createParser } from "../src/parser.js";

/** Returns all reports of a parser, in order. */
function parse(pieces, options = {}) {
  const observed = [];
  const parser = createParser({
    onEvent: ({ raw, ...event }) => observed.push(["event", event.type, event.data, event.id ?? null, event.lastEventId, raw ?? null]),
    onId: (id) => observed.push(["id", id]),
    onRetry: (milliseconds) => observed.push(["retry", milliseconds]),
    onComment: (text) => observed.push(["comment", text]),
    onSkip: ({ id = null, lastEventId }) => observed.push(["skip", id, lastEventId]),
    ...options,
  });
  for (const piece of pieces) parser.feed(piece);
  return observed;
}

/**
 * Returns the reports of the foreign parser. It takes text, reports only the ids of events, and
 * strips a space from comments.
 */
function parseForeign(text) {
  const observed = [];
  const parser = foreignParser({
    onEvent: ({ event, data, id }) => observed.push(["event", event || "message", data, id ?? null]),
    onRetry: (milliseconds) => observed.push(["retry", milliseconds]),
    onComment: (comment) => observed.push(["comment", comment]),
  });
  // The foreign parser waits for the character after a CR, which changes nothing.
  parser.feed(text.endsWith("\r") ? text + "\n" : text);
  return observed;
}

/** A limit that many inputs of the fuzzer exceed. */
const LIMIT = 24;

const asForeign = (observed) => observed.flatMap(([kind, ...rest]) => {
  if (kind === "id") return [];
  if (kind === "comment") return [[kind, rest[0].replace(/^ /, "")]];
  return [[kind, ...rest.slice(0, 3)]];
});

/** Pieces of lengths that depend on the bytes alone. */
function cut(bytes) {
  const pieces = [];
  let number = bytes.length;
  for (let start = 0; start < bytes.length;) {
    number = (number * 31 + bytes[start]) % 251;
    pieces.push(bytes.subarray(start, start += number % 8));
    if (number % 8 === 0) pieces.push(bytes.subarray(start, ++start));
  }
  return pieces;
}

/** Throws if a property does not hold for the bytes of a stream; returns the reports. */
export function check(bytes) {
  const observed = parse([bytes]);
  assert.deepEqual(parse(cut(bytes)), observed, "in pieces");
  assert.deepEqual(parse([...bytes].map((byte) => Uint8Array.of(byte))), observed, "byte by byte");

  const text = new TextDecoder().decode(bytes, { stream: true });
  // The foreign parser treats these three letters, and a byte order mark in text, as a part of
  // the format.
  if (!text.startsWith("\u00ef\u00bb\u00bf") && !text.startsWith("\ufeff")) {
    assert.deepEqual(asForeign(observed), parseForeign(text), "a foreign parser");
  }

  for (const isRaw of [false, true]) {
    const options = { maxEventBytes: LIMIT, raw: isRaw }, limited = parse([bytes], options);
    for (const pieces of [cut(bytes), [...bytes].map((byte) => Uint8Array.of(byte))]) {
      assert.deepEqual(parse(pieces, options), limited, "a limit, in pieces");
    }
    const events = (all) => all.filter(([kind]) => kind === "event").map(([, type, data]) => [type, data]);
    const all = events(observed);
    let place = 0;
    for (const event of events(limited)) {
      while (place < all.length && JSON.stringify(all[place]) !== JSON.stringify(event)) place++;
      assert.ok(place++ < all.length, "an event that exists only with a limit");
    }
    const skips = limited.filter(([kind]) => kind === "skip").length;
    assert.ok(events(limited).length + skips >= all.length, "an event lost without a report");
  }

  const raw = parse([bytes], { raw: true });
  assert.deepEqual(raw.map((each) => each[0] === "event" ? [...each.slice(0, 5), null] : each), observed, "with raw");
  for (const event of raw.filter(([kind]) => kind === "event")) {
    const again = parse([new TextEncoder().encode(`\ufeff${event[5]}\n`)]).filter(([kind]) => kind === "event");
    assert.deepEqual(again.map((it) => it.slice(0, 4)), [event.slice(0, 4)], "a raw block");
  }
  return observed;
}
