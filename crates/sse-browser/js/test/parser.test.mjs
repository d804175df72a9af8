// Tests of the parser with the shared corpus, compared with a foreign parser.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { createParser as foreignParser } from "eventsource-parser";
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

const LARGE = "x".repeat(100);

for (const [name, text, expected] of [
  ["one line", `data: ${LARGE}\n\n`, ["skip -"]],
  ["one line without an end", `data: ${LARGE}`, []],
  ["many lines", `${"data: x\n".repeat(20)}\n`, ["skip -"]],
  ["an id before", `id: 1\ndata: ${LARGE}\n\n`, ["id 1", "skip 1"]],
  ["an id before, no end", `id: 1\ndata: ${LARGE}`, ["id 1", "skip 1"]],
  ["an id after", `data: ${LARGE}\nid: 1\n\n`, ["id 1", "skip 1"]],
  ["an id in the line that is too much", `data: ${"x".repeat(92)}\nid: 1\n\n`, ["id 1", "skip 1"]],
  ["another id after", `id: 1\ndata: ${LARGE}\nid: 2\n\n`, ["id 1", "skip 1", "id 2"]],
  ["an id that is too long", `id: ${LARGE}\ndata: x\n\n`, ["skip -"]],
  ["a retry after", `data: ${LARGE}\nretry: 5\n\n`, ["retry 5", "skip -"]],
  ["a long comment", `:${LARGE}\ndata: x\n\n`, ["event x"]],
  ["many comments", `${":keep-alive\n".repeat(1000)}data: x\n\n`, ["event x"]],
  ["many events", "data: x\n\n".repeat(1000), Array.from({ length: 1000 }, () => "event x")],
  ["bytes, not characters", `data: ${"ä".repeat(48)}\n\n`, ["skip -"]],
  ["characters of four bytes", `data: ${"😀".repeat(24)}\n\n`, ["skip -"]],
  ["exactly the limit", `data:${"x".repeat(95)}\n\n`, [`event ${"x".repeat(95)}`]],
  ["exactly the limit in bytes", `data:${"ä".repeat(47)}x\n\n`, [`event ${"ä".repeat(47)}x`]],
  ["one byte more", `data:${"x".repeat(96)}\n\n`, ["skip -"]],
]) {
  test(`maxEventBytes: ${name}`, () => {
    const tail = text.endsWith("\n\n") ? "data: next\n\n" : "";
    const whole = new TextEncoder().encode(text + tail);
    const ways = [[whole], [...whole].map((byte) => Uint8Array.of(byte)), [whole.subarray(0, 50), whole.subarray(50)]];
    for (const raw of [false, true]) {
      for (const pieces of ways) {
        const found = [];
        parse(pieces, {
          maxEventBytes: 100,
          raw,
          onEvent: ({ data }) => found.push(`event ${data}`),
          onId: (id) => found.push(`id ${id}`),
          onRetry: (milliseconds) => found.push(`retry ${milliseconds}`),
          onSkip: ({ id = "-" }) => found.push(`skip ${id}`),
        });
        assert.deepEqual(found, [...expected, ...(tail && ["event next"])]);
      }
    }
  });
}

test("raw leaves out comments beyond maxEventBytes", () => {
  const { events } = parse([bytes(`${":c\n".repeat(1000)}data: x\n\n`)], { raw: true, maxEventBytes: 10 });
  assert.deepEqual(events.map(({ raw }) => raw), [":c\n".repeat(5) + "data: x\n"]);
});
