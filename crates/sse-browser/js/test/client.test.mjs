// Tests of messages, requests, ids and tokens.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { createSSE } from "../src/client.js";
import { createClient, openClient } from "./support/client.mjs";
import { hello, system } from "./support/server.mjs";

const event = (data, id, type) => `${id ? `id: ${id}\n` : ""}${type ? `event: ${type}\n` : ""}data: ${JSON.stringify(data)}\n\n`;

const EXPIRED = system("auth_expired", { reason: "expired", reconnect: true });

test("messages have type, data, id, time, in order", async () => {
  const { world, is, heard } = await openClient({}, {}, hello({ userId: "ada" }));
  await world.last.send(event({ message: "hi" }, "7", "notification") + "data: no JSON\n\n" + event({}, "", "heartbeat"));
  const now = world.now();
  assert.deepEqual(is().messages.slice(1), [
    { type: "notification", data: { message: "hi" }, id: "7", timestamp: now },
    { type: "message", data: "no JSON", timestamp: now },
  ]);
  assert.equal(is().lastMessage, is().messages.at(-1));
  assert.deepEqual([is().clientId, is().userId, is().lastEventId], ["c1", "ada", "7"]);
  assert.deepEqual(heard.map((line) => line.split(" ")[0]), ["connect", "connection", "notification", "message", "heartbeat"]);
});

test("snapshots are immutable, messages are distinct", async () => {
  const { world, client, is } = await openClient();
  const snapshots = [];
  const end = client.subscribe((snapshot) => snapshots.push(snapshot));
  assert.equal(snapshots.length, 1, "the first at once, as Svelte's stores do");
  await world.last.send(event("same"));
  const before = is();
  await world.last.send(event("same"));
  assert.deepEqual([before.messages.length, is().messages.length], [1, 2]);
  assert.notEqual(is().messages[0], is().messages[1]);
  end();
  const { length } = snapshots;
  client.clearMessages();
  assert.deepEqual([is().messages, is().lastMessage, snapshots.length], [[], null, length]);
  assert.equal(is(), is());
});

test("messages are capped", async () => {
  const { world, is } = await openClient({ maxMessages: 3 });
  await world.last.send([1, 2, 3, 4, 5].map((number) => event(number)).join(""));
  assert.deepEqual(is().messages.map(({ data }) => data), [3, 4, 5]);
  const none = await openClient({ maxMessages: 0 }, {}, event(1));
  assert.deepEqual([none.is().messages, none.is().lastMessage.data], [[], 1]);
});

test("listeners by type, and for all", async () => {
  const { world, client } = await openClient();
  const got = [];
  const end = client.on("a", ({ data }) => got.push(`a${data}`));
  client.on("*", ({ type }) => got.push(type));
  await world.last.send(event(1, "", "a") + event(2, "", "b"));
  end();
  await world.last.send(event(3, "", "a"));
  assert.deepEqual(got, ["a1", "a", "b", "a"]);
});

test("an error in a listener stops nothing", async (t) => {
  const thrown = [];
  t.mock.method(globalThis, "setTimeout", (run) => { try { run(); } catch (error) { thrown.push(error.message); } });
  const { world, client, heard } = await openClient();
  const end = client.on("message", () => { throw new Error("mine"); });
  const unsubscribe = client.subscribe(({ lastMessage }) => { if (lastMessage) throw new Error("subscribed"); });
  await world.last.send(event(1) + event(2));
  end();
  unsubscribe();
  assert.deepEqual(thrown, ["subscribed", "mine", "subscribed", "mine"]);
  assert.deepEqual(heard.slice(1), ["message 1", "message 2"]);
});

test("errors of a custom parse are reported", async () => {
  const parse = (text, type) => { if (text === "bad") throw new Error("cannot"); return `${type}:${text}`; };
  const { world, heard, is } = await openClient({ parse }, {}, hello());
  await world.last.send("data: bad\n\ndata: good\n\n" + system("gap", { reason: "overflow" }));
  assert.deepEqual(heard.slice(2, 5), ["error parse", "gap parse", 'message "message:good"']);
  assert.equal(heard.at(-1), "gap overflow", "events of the server itself are not parsed");
  assert.deepEqual([is().state, is().clientId], ["open", "c1"]);
});

test("a gap of the server is reported, parsed or not", async () => {
  for (const [gap, expected] of [[{ reason: "overflow" }, "overflow"], [null, "unknown"]]) {
    const parse = () => { throw new Error("cannot"); };
    const { heard } = await openClient({ parse }, {}, hello() + system("gap", gap) + event({}, "", "heartbeat"));
    assert.deepEqual(heard.filter((line) => line.startsWith("gap")), [`gap ${expected}`]);
    const parsed = await openClient({}, {}, system("gap", gap));
    assert.equal(parsed.heard.at(-1), `gap ${expected}`);
  }
});

test("each attempt builds its request anew", async () => {
  let count = 0;
  const next = (name) => () => Promise.resolve(`${name}${++count}`);
  const { world, client } = createClient({
    url: "/events?x=y", topics: ["news", "orders/7"], headers: async () => ({ authorization: await next("token")() }),
    query: { user: "ada" }, ticket: next("ticket"), method: "POST", body: () => "body", credentials: "include",
  });
  client.connect();
  await world.pass(0);
  assert.equal(world.last.url.href, "http://app.test/events?x=y&user=ada&topics=news%2Corders%2F7&ticket=ticket2");
  const { init, headers } = world.last;
  assert.deepEqual([init.method, init.body, init.credentials, init.cache], ["POST", "body", "include", "no-store"]);
  assert.deepEqual([...headers], [["accept", "text/event-stream, */*;q=0.1"], ["authorization", "token1"]]);
  await world.last.cut();
  await world.pass(5000);
  assert.deepEqual([world.last.url.searchParams.get("ticket"), world.last.headers.get("authorization")], ["ticket4", "token3"]);
});

test("every topic can be requested", async () => {
  // The server's tests read the same queries.
  const written = JSON.parse(await readFile(new URL("support/topics.json", import.meta.url)));
  for (const { topics, query } of written) assert.equal(await queryOf(topics), query);
  for (let round = 0; round < 300; round++) {
    const random = (most) => Math.floor(Math.random() * (most + 1));
    const topic = () => Array.from({ length: 1 + random(4) }, () => "ab, %&=+[]é\u00a0"[random(12)]).join("");
    const topics = Array.from({ length: random(4) }, topic);
    assert.deepEqual(read(await queryOf(topics)), topics);
  }
  assert.equal(await queryOf([""]), "topic=", "the server rejects it, and says so");
  assert.equal(await queryOf(["a,b"], "?topics=x&topic=y&z=1"), "z=1&topic=a%2Cb", "the option replaces the URL's topics");
});

/** Returns the query that a client sends. */
async function queryOf(topics, query = "") {
  const { world, client } = createClient({ url: `/events${query}`, topics });
  client.connect();
  await world.pass(0);
  return world.last.url.search.slice(1);
}

/** Reads topics as the server does. */
function read(query) {
  const list = (value) => value.split(",").map((topic) => topic.replace(/^ +| +$/g, "")).filter((topic) => topic);
  return [...new URLSearchParams(query)].flatMap(([name, value]) => (name === "topic" ? [value] : list(value)));
}

test("failing headers are a retryable error", async () => {
  let isThere = false;
  const { world, client, is } = createClient({ headers: () => { if (!isThere) throw new Error("no token"); return {}; } });
  client.connect();
  await world.pass(0);
  assert.deepEqual([is().state, is().error.code, world.exchanges.length], ["waiting", "request", 0]);
  isThere = true;
  await world.pass(5000);
  assert.equal(world.exchanges.length, 1);
});

test("resumes by Last-Event-ID, in UTF-8", async () => {
  const { world, is } = await openClient({ lastEventId: "ü€" });
  assert.equal(Buffer.from(world.last.headers.get("last-event-id"), "latin1").toString(), "ü€");
  await world.last.send("id: 9\n\n");
  assert.equal(is().lastEventId, "9", "an id without an event counts");
  await world.last.send("id: 10\ndata: cut off");
  await world.last.cut();
  await world.pass(5000);
  assert.equal(world.last.headers.get("last-event-id"), "9");
  await world.last.open("id\ndata: reset\n\n");
  await world.last.cut();
  await world.pass(5000);
  assert.equal(world.last.headers.has("last-event-id"), false);
});

test("duplicates are dropped by id, positions are not", async () => {
  const { world, heard } = await openClient({}, {}, hello({ id: "e-1" }) + event("a", "e-1") + event("b", "e-2"));
  await world.last.cut();
  await world.pass(5000);
  const gap = system("gap", { reason: "trimmed", dropped: 2, from: "e-2", to: "e-5" }, "id: e-5\n");
  await world.last.open(hello({ id: "e-2" }) + event("b", "e-2") + gap + event("c", "e-6") + event({}, "e-6", "heartbeat") + event({}, "e-6", "heartbeat"));
  const types = heard.map((line) => line.split(" ")[0]);
  assert.deepEqual(heard.filter((line) => line.startsWith("message")), ['message "a"', 'message "b"', 'message "c"']);
  assert.deepEqual([types.filter((type) => type === "connection").length, types.filter((type) => type === "heartbeat").length], [2, 2]);
  assert.ok(heard.includes("gap trimmed"));
});

test("stored ids outlive the page", async () => {
  const stored = new Map();
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value), removeItem: (key) => stored.delete(key) };
  const options = { storage, user: "ada", share: false };
  const first = await openClient(options, {}, event("a", "5"));
  assert.deepEqual([...stored.values()], ["5"]);
  first.client.disconnect();
  const second = await openClient(options);
  assert.equal(second.world.last.headers.get("last-event-id"), "5");
  const stranger = await openClient({ ...options, user: "bob" });
  assert.equal(stranger.world.last.headers.has("last-event-id"), false);
  second.client.disconnect({ everywhere: true });
  assert.equal(stored.size, 0);

  const broken = () => { throw new DOMException("full", "QuotaExceededError"); };
  const full = await openClient({ storage: { getItem: broken, setItem: broken, removeItem: broken } }, {}, event("a", "5"));
  assert.equal(full.is().lastEventId, "5");
});

test("401 retries, then renews credentials once", async () => {
  let token = "old", renewals = 0;
  const { world, client, is, heard } = createClient({
    headers: () => ({ authorization: token }),
    onUnauthorized: async () => { renewals++; token = `new${renewals}`; },
  });
  client.connect();
  await world.pass(0);
  token = "changed";
  await world.last.answer(401);
  assert.deepEqual([renewals, world.last.headers.get("authorization"), heard], [0, "changed", []]);
  await world.last.answer(401);
  assert.deepEqual([renewals, world.last.headers.get("authorization"), heard], [1, "new1", []]);
  await world.last.answer(401);
  assert.deepEqual([renewals, is().state, is().error.code], [1, "failed", "unauthorized"]);
  assert.deepEqual(heard, ["error unauthorized"]);
  client.connect();
  await world.pass(0);
  await world.last.answer(401);
  await world.last.open(hello());
  assert.deepEqual([is().state, renewals], ["open", 1], "connect begins anew");
});

test("accepted credentials begin the sequence anew", async () => {
  let renewals = 0;
  const { world, client, is } = createClient({ onUnauthorized: () => { renewals++; } });
  client.connect();
  await world.pass(0);
  for (let round = 1; round <= 3; round++) {
    await world.last.answer(401);
    await world.last.answer(401);
    await world.last.open(hello() + event("a"));
    await world.last.cut();
    assert.deepEqual([renewals, is().state], [round, "waiting"]);
    await world.pass(5000);
  }
});

test("401 without a successful renewal is final", async () => {
  for (const options of [{}, { onUnauthorized: () => false }, { onUnauthorized: () => Promise.reject(new Error("logged out")) }]) {
    const { world, client, is } = createClient(options);
    client.connect();
    await world.pass(0);
    await world.last.answer(401);
    assert.deepEqual([is().state, is().error.retryable], ["connecting", true]);
    await world.last.answer(401);
    assert.deepEqual([is().state, is().error.code, is().error.retryable, world.exchanges.length], ["failed", "unauthorized", false, 2]);
  }
  const tickets = createClient({ ticket: () => "t" });
  tickets.client.connect();
  await tickets.world.pass(0);
  await tickets.world.last.answer(401);
  assert.equal(tickets.world.exchanges.length, 2, "a new ticket is requested");
});

/** Lets a stream expire, and answers each attempt. */
async function expire(answers, options = {}) {
  let renewals = 0;
  const all = await openClient({ onUnauthorized: () => { renewals++; }, ...options }, {}, hello() + EXPIRED);
  for (const answer of answers) {
    await all.world.pass(0);
    if (typeof answer === "number") await all.world.last.answer(answer);
    else await all.world.last.open(answer);
  }
  await all.world.pass(100_000);
  return { ...all, renewals, state: all.is().state, requests: all.world.exchanges.length };
}

for (const [name, answers, options, expected] of [
  ["a renewed cookie", [hello()], {}, ["open", 2, 0]],
  ["a renewed cookie, nobody to renew", [hello()], { onUnauthorized: undefined }, ["open", 2, 0]],
  ["a refused cookie", [401, hello()], {}, ["open", 3, 1]],
  ["refused twice", [401, 401], {}, ["failed", 3, 1]],
  ["refused, nobody to renew", [401], { onUnauthorized: undefined }, ["failed", 2, 0]],
  ["streams that expire at once", [hello() + EXPIRED, hello() + EXPIRED], {}, ["failed", 3, 1]],
  ["streams that expire after an event", [event("a") + EXPIRED, event("b") + EXPIRED], {}, ["failed", 3, 1]],
  ["a renewal that fails", [401], { onUnauthorized: () => false }, ["failed", 2, 0]],
  ["no reconnecting", [], { reconnect: false }, ["failed", 1, 0]],
]) {
  test(`auth_expired: ${name}`, async () => {
    const { state, requests, renewals } = await expire(answers, options);
    assert.deepEqual([state, requests, renewals], expected);
  });
}

test("every auth_expired retries and reconnects", async () => {
  let renewals = 0;
  const { world, is } = await openClient({ onUnauthorized: () => { renewals++; } }, {}, hello());
  for (let round = 1; round <= 3; round++) {
    await world.pass(6000);
    await world.last.send(EXPIRED);
    await world.last.answer(401);
    assert.deepEqual([renewals, is().state, world.exchanges.length], [round, "connecting", 2 * round + 1]);
    await world.last.open(hello());
  }
});

test("reconnects after a farewell that allows it", async () => {
  const { world, is } = await openClient({}, {}, hello() + system("disconnected", { reason: "kicked", reconnect: true }));
  await world.last.end();
  assert.equal(is().state, "waiting");
});

test("with raw, messages have their lines", async () => {
  const { is } = await openClient({ raw: true }, {}, "id: 1\ndata: x\n\n");
  assert.equal(is().lastMessage.raw, "id: 1\ndata: x\n");
});

test("without a browser, nothing runs before connect", () => {
  const client = createSSE({ user: "ada", storage: "session" });
  assert.equal(client.getSnapshot().state, "idle");
  assert.equal(client.getSnapshot(), client.getSnapshot());
});

test("a listener can end the stream at its farewell", async () => {
  const { world, client, is } = await openClient({ onUnauthorized: () => {} }, {}, hello());
  client.on("system", () => client.disconnect());
  await world.last.send(EXPIRED);
  await world.pass(10_000);
  assert.deepEqual([is().state, world.exchanges.length], ["closed", 1]);
});
