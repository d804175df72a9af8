// Pages of several origins: one is listed, and the others make a signed-in visitor's browser send
// requests.

import assert from "node:assert/strict";
import test from "node:test";
import { openTrustingContext, record, useChromium } from "./support/browser.mjs";
import { startHub } from "./support/hub.mjs";
import { until } from "./support/limit.mjs";
import { SECRET, signIn } from "./support/sessions.mjs";
import { serveSite } from "./support/site.mjs";

const openContext = useChromium();

const NONE = { sameSite: "none", secure: true };

/** Opens the page of a listed site for a visitor who is signed in there. */
async function visitor(t, choices = {}) {
  const context = await (choices === NONE ? openTrustingContext(t) : openContext(t));
  const site = await serveSite(t, { signIn: () => signIn("v5", { sub: "user_1" }, choices) });
  const options = ["--auth", "nextauth", "--origins", site.origin];
  const hub = await startHub(t, { secrets: { AUTH_SECRET: SECRET }, options });
  const page = await context.newPage();
  const wire = await record(page, hub.origin);
  await page.goto(`${site.origin}/sign-in?hub=${hub.origin}`);
  await page.getByText("signed in as user_1").waitFor();
  /** Opens a page of another site in the same browser. */
  const elsewhere = async (host) => {
    const other = await serveSite(t, { host });
    const page = await context.newPage();
    const wire = await record(page, hub.origin);
    await page.goto(`${other.origin}/empty`);
    return { page, wire, origin: other.origin };
  };
  return { hub, site, page, wire, elsewhere };
}

/** Tries all ways in which a page can reach the hub. Returns results; "error" is no access. */
const attempts = async (origin) => {
  const stream = () =>
    new Promise((resolve) => {
      const source = new EventSource(`${origin}/api/sse`, { withCredentials: true });
      source.onopen = () => resolve("open");
      source.onerror = () => resolve(source.readyState === EventSource.CLOSED ? "error" : "reconnecting");
    });
  const call = (url, init) => {
    // Without the abort, an unread stream would stay open until its response is garbage-collected.
    const enough = new AbortController();
    const answer = fetch(origin + url, { credentials: "include", signal: enough.signal, ...init });
    return answer.then(({ type, status }) => `${type} ${status}`, () => "error").finally(() => enough.abort());
  };
  const body = JSON.stringify({ message: "forged" });
  const json = { "content-type": "application/json" };
  return {
    stream: await stream(),
    read: await call("/api/sse"),
    query: await call("/api/trpc/sse.getStats"),
    module: await import(`${origin}/sse/client.js`).then(({ createSSE }) => typeof createSSE, () => "error"),
    traced: await call("/api/trpc/sse.getStats", { headers: { traceparent: "00-0-0-00", baggage: "a=1", "sentry-trace": "0-0" } }),
    mutation: await call("/api/trpc/sse.sendSuccess", { method: "POST", headers: json, body }),
    // Browsers send requests that need no preflight, so these must have no effect.
    simple: await call("/api/trpc/sse.sendInfo", { method: "POST", headers: { "content-type": "text/plain" }, body }),
    blind: await call("/api/trpc/sse.sendInfo", { method: "POST", mode: "no-cors", body: new Blob([body]) }),
    beacon: navigator.sendBeacon(`${origin}/api/trpc/sse.sendInfo`, body),
  };
};

// Of a request without preflight, a page may learn only that the browser sent it.
const NOTHING = { stream: "error", read: "error", query: "error", module: "error", traced: "error", mutation: "error", simple: "error", blind: "opaque 0", beacon: true };
const ALL = { ...NOTHING, stream: "open", read: "cors 200", query: "cors 403", module: "function", traced: "cors 403", mutation: "cors 200", simple: "cors 415" };

const pages = /** @type {const} */ ([
  { of: "another port, which gets the cookie sent", host: "127.0.0.1", cookie: {}, site: "same-site", status: 403 },
  { of: "another site, which gets a cookie with SameSite=None sent", host: "localhost", cookie: NONE, site: "cross-site", status: 403 },
  { of: "another site, which SameSite=Lax keeps the cookie from", host: "localhost", cookie: {}, site: "cross-site", status: 401 },
]);

for (const { of, host, cookie, site, status } of pages) {
  test(`a page of ${of}, gets nothing`, async (t) => {
    const { hub, page, elsewhere } = await visitor(t, cookie);
    const other = await elsewhere(host);
    assert.deepEqual(await other.page.evaluate(attempts, hub.origin), NOTHING);

    // The requests reached the hub with the browser's cookies, and the hub rejected them.
    const streams = await other.wire.waitFor("GET", "/api/sse", 2);
    const queries = await other.wire.waitFor("GET", "/api/trpc/sse.getStats");
    for (const { sent, received, ...answer } of [...streams, ...queries]) {
      assert.deepEqual([sent.origin, sent["sec-fetch-site"], "cookie" in sent], [other.origin, site, status === 403]);
      assert.deepEqual([answer.status, received["access-control-allow-origin"]], [status, undefined]);
      assert.match(received.vary, /\borigin\b/i);
    }
    // A call with JSON ends at its preflight. Requests without a preflight are not JSON.
    const [preflight] = await other.wire.waitFor("OPTIONS", "/api/trpc/sse.sendSuccess");
    assert.equal(preflight.received["access-control-allow-origin"], undefined);
    assert.equal(other.wire.answered("POST", "/api/trpc/sse.sendSuccess").length, 0);
    const simple = await other.wire.waitFor("POST", "/api/trpc/sse.sendInfo", 3);
    assert.deepEqual(simple.map(({ status }) => status), [415, 415, 415]);

    // The attempts had no effect: the hub has one stream, with only the events of the backend.
    assert.equal((await hub.backend("getStats")).totalConnections, 1);
    await hub.backend("sendInfo", { userId: "user_1", message: "the end" });
    await page.getByText("the end").waitFor();
    assert.deepEqual(await page.getByRole("listitem").allTextContents(), ["signed in as user_1", "the end"]);
  });
}

test("a page of an origin that is listed calls and reads", async (t) => {
  const { hub, site, page, wire } = await visitor(t);
  assert.deepEqual(await page.evaluate(attempts, hub.origin), ALL);
  await page.getByText("forged").waitFor();
  // The stream of the page, and the one attempt that stays open.
  await until(async () => (await hub.backend("getStats")).totalConnections === 2);
  const answer = await page.evaluate(async (url) => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ message: "by a call" });
    return (await fetch(url, { method: "POST", credentials: "include", headers, body })).json();
  }, `${hub.origin}/api/trpc/sse.sendInfo`);
  assert.deepEqual(answer, { result: { data: { matched: 2 } } });
  await page.getByText("by a call").waitFor();

  const [preflight] = await wire.waitFor("OPTIONS", "/api/trpc/sse.sendSuccess");
  assert.equal(preflight.received["access-control-allow-origin"], site.origin);
  assert.equal(preflight.received["access-control-allow-credentials"], "true");
  const exchanges = [
    preflight,
    ...(await wire.waitFor("POST", "/api/trpc/sse.sendSuccess")),
    ...(await wire.waitFor("GET", "/api/sse", 3)),
    ...(await wire.waitFor("GET", "/api/trpc/sse.getStats")),
  ];
  for (const { received } of exchanges) assert.match(received.vary, /\borigin\b/i);
});

test("`authorization` and `last-event-id` pass the preflight", async (t) => {
  const { hub, page, wire } = await visitor(t);
  const [{ value: session }] = await signIn("v5", { sub: "user_2" });
  const headers = { authorization: `Bearer ${session}`, "last-event-id": '"1"{}' };
  const first = await page.evaluate(async ([url, headers]) => {
    const aborted = new AbortController();
    const answer = await fetch(url, { credentials: "omit", headers, signal: aborted.signal });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("\n\n")) text += (await reader?.read())?.value;
    aborted.abort();
    return [answer.status, text];
  }, /** @type {const} */ ([`${hub.origin}/api/sse`, headers]));
  assert.equal(first[0], 200);
  assert.match(String(first[1]), /"userId":"user_2"/);
  const [{ sent, received }] = await wire.waitFor("OPTIONS", "/api/sse");
  assert.equal(sent["access-control-request-headers"], "authorization,last-event-id");
  for (const name of ["authorization", "last-event-id"]) assert.match(received["access-control-allow-headers"], new RegExp(name));
});
