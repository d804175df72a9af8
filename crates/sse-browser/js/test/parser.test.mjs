// Tests of the parser with the shared corpus, compared with a foreign parser.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { createParser as foreignParser } from "eventsource-parser";
import { SSEError } from "../src/error.js";
import { createParser } from "../src/parser.js";
import { bytes } from "./support/server.mjs";

const corpus = JSON.parse(await readFile(new URL("../../../sse-testkit/corpus/event-streams.json", import.meta.url)));

function parse(pieces, options = {}) {
  const found = { events: [], comments: [], lastEventId: options.lastEventId ?? "", retry: undefined };
  const parser = createParser({
    onEvent: (event) => found.events.push(event),
    onComment: (text) => found.comments.push(text),
    onId: (id) => { found.lastEventId = id; },
    onRetry: (milliseconds) => { found.retry = milliseconds; },
    ...options,
  });
  for (const piece of pieces) parser.feed(piece);
  return found;
}

/** Treats an undefined `id` and a missing `id` as equal. */
const plain = (value) => JSON.parse(JSON.stringify(value));

function judge(name, found, { events, lastEventId, retry, comments }) {
  assert.deepEqual(plain(found.events), events, name);
  assert.equal(found.lastEventId, lastEventId, name);
  assert.equal(found.retry, retry, name);
  if (comments) assert.deepEqual(found.comments, comments, name);
}

test("the parser agrees with the corpus in any chunks", () => {
  assert.ok(corpus.length > 80);
  for (const { name, stream, ...expected } of corpus) {
    const pieces = stream.map(bytes), whole = Buffer.concat(pieces);
    judge(name, parse(pieces), expected);
    judge(`${name}, in one piece`, parse([whole]), expected);
    judge(`${name}, byte by byte`, parse([...whole].map((byte) => Uint8Array.of(byte))), expected);
    judge(`${name}, with empty pieces`, parse([...whole].flatMap((byte) => [new Uint8Array(), Uint8Array.of(byte)])), expected);
  }
});

test("random streams parse equally in any chunks", () => {
  // A small generator of its own, so that a failure can be repeated.
  let seed = 7;
  const random = (most) => (seed = (seed * 48271) % 2147483647) % most;
  const words = ["data", "event", "id", "retry", ":", ": ", " ", "\n", "\n\n", "x", "ä", "\r\n", "7", "data: y\n"];
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: random(30) }, () => words[random(words.length)]).join("") + "\n\n";
    const whole = new TextEncoder().encode(text);
    const expected = plain(parse([whole]));
    const pieces = [];
    for (let start = 0; start < whole.length;) pieces.push(whole.subarray(start, start += 1 + random(5)));
    assert.deepEqual(plain(parse(pieces)), expected, JSON.stringify(text));
    const theirs = [];
    foreignParser({ onEvent: ({ event, data }) => theirs.push([event || "message", data]) }).feed(text);
    assert.deepEqual(expected.events.map(({ type, data }) => [type, data]), theirs, JSON.stringify(text));
  }
});

test("events inherit the id of an earlier stream", () => {
  const { events, lastEventId } = parse([bytes("data: a\n\nid: 2\ndata: b\n\n")], { lastEventId: "1" });
  assert.deepEqual(events.map(({ id, lastEventId }) => [id, lastEventId]), [[undefined, "1"], ["2", "2"]]);
  assert.equal(lastEventId, "2");
});

test("with raw, an event keeps the lines of its block", () => {
  const { events } = parse([bytes("retry: 1\r\n:c\r\nid: 1\r\ndata: a\r\n\r\ndata: b\n\n")], { raw: true });
  assert.deepEqual(events.map(({ raw }) => raw), ["retry: 1\n:c\nid: 1\ndata: a\n", "data: b\n"]);
});

test("too long an event fails, keep-alives never do", () => {
  const isTooLarge = (error) => error instanceof SSEError && error.code === "too_large" && !error.retryable;
  assert.throws(() => parse([bytes("data: " + "x".repeat(100))], { maxEventBytes: 100 }), isTooLarge, "one line without an end");
  assert.throws(() => parse([bytes("data: x\n".repeat(20))], { maxEventBytes: 100 }), isTooLarge, "many lines");
  const { events } = parse([bytes(":keep-alive\n".repeat(1000) + "data: x\n\n".repeat(1000))], { maxEventBytes: 100 });
  assert.equal(events.length, 1000);
});
