// Tests of the keys by which tabs and components share a stream.

import assert from "node:assert/strict";
import test from "node:test";
import { keyOf } from "../src/key.js";
import { shareKey } from "../src/shared.js";
import { createHooks } from "../src/hooks.js";
import { createClient, openClient } from "./support/client.mjs";
import { createReact } from "./support/react.mjs";
import { settle } from "./support/world.mjs";

const form = (...entries) => { const made = new FormData(); for (const [name, value] of entries) made.append(name, value); return made; };
class Point { constructor(x) { this.x = x; } }
class Sized extends Map { size2 = 1; }
const cycle = () => { const made = {}; made.self = made; return made; };
const bytes = (...values) => Uint8Array.from(values);

/** Functions that make values: values of one function are equal, those of two are not. */
const BY_VALUE = {
  "undefined": () => undefined, "null": () => null, "true": () => true, "false": () => false,
  "0": () => 0, "1": () => 1, "NaN": () => NaN, "Infinity": () => Infinity, "1n": () => 1n,
  "no text": () => "", "text 1": () => "1", "text null": () => "null", "text {}": () => "{}", 'text ["a"]': () => '["a"]',
  "no list": () => [], "list": () => ["a"], "list of lists": () => [["a"]], "list of text": () => ["a,b"], "list of two": () => ["a", "b"],
  "no members": () => ({}), "members": () => ({ a: 1, b: 2 }), "member undefined": () => ({ a: undefined }), "member null": () => ({ a: null }),
  "date": () => new Date(1), "another date": () => new Date(2), "no date": () => new Date(NaN),
  "url": () => new URL("http://a/"), "another url": () => new URL("http://b/"),
  "no parameters": () => new URLSearchParams(), "parameters": () => new URLSearchParams("a=1"), "other parameters": () => new URLSearchParams("a=2"),
  "parameters twice": () => new URLSearchParams("a=1&a=2"),
  "no headers": () => new Headers(), "headers": () => new Headers({ a: "1" }), "other headers": () => new Headers({ a: "2" }),
  "no form": () => form(), "form": () => form(["a", "1"]), "another form": () => form(["a", "2"]),
  "no map": () => new Map(), "map": () => new Map([["a", 1]]), "another map": () => new Map([["a", 2]]), "deep map": () => new Map([["a", new Map([["b", 1]])]]),
  "no set": () => new Set(), "set": () => new Set([1]), "another set": () => new Set([2]),
  "no bytes": () => bytes(), "bytes": () => bytes(1, 2), "other bytes": () => bytes(1, 3), "numbers": () => Uint16Array.of(1, 2),
  "buffer": () => bytes(1, 2).buffer, "another buffer": () => bytes(1, 3).buffer, "view": () => new DataView(bytes(1, 2).buffer),
  "null prototype": () => Object.assign(Object.create(null), { c: new Date(3) }),
};

/** Functions that make values that are equal only to themselves. */
const BY_IDENTITY = {
  "function": () => () => 1, "blob": () => new Blob(["a"]), "file": () => new File(["a"], "a"), "form with a file": () => form(["a", new Blob(["a"])]),
  "class": () => new Point(1), "class of maps": () => new Sized([["a", 1]]), "stream": () => new ReadableStream(), "signal": () => new AbortController().signal,
  "cycle": cycle, "error": () => new Error("a"), "expression": () => /a/, "weak map": () => new WeakMap(), "promise": () => Promise.resolve(1), 
  "made of an instance": () => Object.create(new Point(1)), "made of a map": () => Object.create(new Map()),
};

test("values have equal keys, others do not", () => {
  const keys = new Map();
  for (const [name, make] of Object.entries(BY_VALUE)) {
    const key = keyOf({ value: make() });
    assert.equal(keyOf({ value: make() }), key, name);
    assert.ok(!keys.has(key), `${name} and ${keys.get(key)}`);
    keys.set(key, name);
  }
  for (const [name, make] of Object.entries(BY_IDENTITY)) {
    const [one, other] = [make(), make()];
    assert.equal(keyOf({ value: one }), keyOf({ value: one }), name);
    assert.notEqual(keyOf({ value: one }), keyOf({ value: other }), name);
    assert.ok(!keys.has(keyOf({ value: one })), name);
  }
  assert.equal(keyOf({ a: 1, b: [2] }), keyOf({ b: [2], a: 1 }), "the order of members does not count");
  assert.equal(keyOf(["a", { b: null }]), '["a",{"b":null}]', "as JSON has it");
});

const BASE = "http://app.test/page";

test("tabs share only streams that compare by value", () => {
  const keys = new Map();
  for (const [name, make] of Object.entries(BY_VALUE)) {
    if (name === "undefined") continue;
    const key = shareKey({ query: { value: make() } }, BASE);
    assert.equal(shareKey({ query: { value: make() } }, BASE), key, name);
    assert.ok(!keys.has(key), `${name} and ${keys.get(key)}`);
    keys.set(key, name);
  }
  for (const [name, make] of Object.entries(BY_IDENTITY)) assert.equal(shareKey({ query: { value: make() } }, BASE), undefined, name);
  assert.match(shareKey({ query: () => ({}) }, BASE), /^sse:/);
  assert.notEqual(shareKey({ query: () => ({}) }, BASE), shareKey({}, BASE));
  assert.equal(shareKey({ query: () => ({}) }, BASE), shareKey({ query: () => ({ a: "1" }) }, BASE));
  assert.equal(shareKey({ url: "//", user: "ada" }, BASE), shareKey({ url: "//", user: "ada" }, BASE), "an invalid address does not throw");
});

for (const [options, role] of [
  [{}, "alone"], [{ user: "ada" }, "leader"], [{ share: true }, "leader"], [{ user: "ada", share: false }, "alone"],
  [{ user: "ada", query: new URLSearchParams("a=1") }, "leader"], [{ user: "ada", query: new Map([["a", new Point(1)]]) }, "alone"],
  [{ user: "ada", query: () => ({}) }, "alone"], [{ user: "ada", query: () => ({}), share: true }, "leader"],
  [{ user: "ada", method: "POST" }, "alone"], [{ user: "ada", body: new URLSearchParams() }, "alone"],
  [{ user: new Point(1) }, "alone"],
]) {
  test(`sharing: ${keyOf(options, () => "…")}`, async () => {
    class BroadcastChannel { postMessage() {} close() {} }
    const locks = { request: (name, options, run) => Promise.resolve().then(run) };
    const { is } = await openClient(options, { BroadcastChannel, locks });
    assert.equal(is().role, role);
  });
}

test("a stream without a comparable key is not stored", async () => {
  const stored = new Map();
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value), removeItem: (key) => stored.delete(key) };
  await openClient({ storage, query: { value: new Point(1) } }, {}, "id: 1\ndata: x\n\n");
  assert.equal(stored.size, 0);
  await openClient({ storage, query: new URLSearchParams("a=1") }, {}, "id: 1\ndata: x\n\n");
  const other = await openClient({ storage, query: new URLSearchParams("a=2") });
  assert.equal(other.world.last.headers.has("last-event-id"), false);
});

for (const [name, query, expected] of [
  ["an object", { a: "1", x: "2" }, "?x=2&a=1"],
  ["parameters", new URLSearchParams("a=1&a=2"), "?x=y&a=1&a=2"],
  ["a map", new Map([["a", "1"]]), "?x=y&a=1"],
  ["pairs", [["a", "1"]], "?x=y&a=1"],
  ["a function", () => new URLSearchParams("a=1"), "?x=y&a=1"],
]) {
  test(`query is sent as ${name}`, async () => {
    const { world, client } = createClient({ url: "/events?x=y", query });
    client.connect();
    await world.pass(0);
    const { search } = world.last.url;
    assert.deepEqual([...new URLSearchParams(search)].sort(), [...new URLSearchParams(expected)].sort());
  });
}

/** Renders two components; returns the number of streams. */
async function streamsOf(one, other) {
  const { React, render } = createReact();
  const { useSSE } = createHooks(React);
  let requests = 0;
  const fetch = () => { requests++; return new Promise(() => {}); };
  const unmount = [one, other].map((options) => render(() => useSSE({ url: "http://app.test/", fetch, method: "POST", ...options })));
  await settle();
  for (const end of unmount) end();
  return requests;
}

test("components share streams of equal options only", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (const [name, make] of Object.entries(BY_VALUE)) {
    assert.equal(await streamsOf({ types: [make()] }, { types: [make()] }), 1, name);
    t.mock.timers.tick(100);
  }
  for (const [name, make] of Object.entries(BY_IDENTITY)) {
    const [value, other] = [make(), make()];
    assert.equal(await streamsOf({ types: [value] }, { types: [other] }), 2, name);
    t.mock.timers.tick(100);
    assert.equal(await streamsOf({ types: [value] }, { types: [value] }), 1, name);
    t.mock.timers.tick(100);
  }
  for (const option of ["body", "headers", "query"]) {
    const values = [new URLSearchParams("a=1"), new URLSearchParams("a=2")];
    assert.equal(await streamsOf({ [option]: values[0] }, { [option]: values[1] }), 2, option);
    t.mock.timers.tick(100);
    assert.equal(await streamsOf({ [option]: () => values[0] }, { [option]: () => values[1] }), 1, `${option}, written inline`);
    t.mock.timers.tick(100);
  }
  const storage = () => ({ getItem: () => null, setItem: () => {}, removeItem: () => {} });
  assert.equal(await streamsOf({ storage: storage() }, { storage: storage() }), 2);
});
