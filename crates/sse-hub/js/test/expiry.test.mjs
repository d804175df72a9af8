// Tickets and expiry, with the browser's own EventSource, which can neither set headers nor read
// the status.

import assert from "node:assert/strict";
import test from "node:test";
import { SignJWT } from "jose";
import { record, useChromium } from "./support/browser.mjs";
import { startHub } from "./support/hub.mjs";
import { until } from "./support/limit.mjs";
import { SECRET, signIn } from "./support/sessions.mjs";
import { serveSite } from "./support/site.mjs";

const openContext = useChromium();

const JWT_SECRET = "a secret of these tests, long enough for HS256";
// The hub checks the expiry several times in a heartbeat interval.
const PROMPT = ["--heartbeat-interval", "500ms", "--retry", "100ms"];

// Lifetime in seconds of credentials that expire during a test. The time suffices to connect with
// them on a busy machine.
const SHORT = 12;

/** @param {string} sub @param {number} seconds */
const token = (sub, seconds) =>
  new SignJWT({ sub })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
    .sign(new TextEncoder().encode(JWT_SECRET));

/** Opens an empty page at a listed origin, with `call` and `listen`. */
async function visit(t) {
  const site = await serveSite(t);
  const hub = await startHub(t, { secrets: { JWT_SECRET }, options: ["--auth", "jwt", "--origins", site.origin, ...PROMPT] });
  const page = await (await openContext(t)).newPage();
  const wire = await record(page, hub.origin);
  await page.goto(`${site.origin}/empty`);
  await page.evaluate((hub) => {
    window.call = async (procedure, input, headers) => {
      const answer = await fetch(`${hub}/api/trpc/sse.${procedure}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(input),
      });
      const { result, error } = await answer.json();
      return result?.data ?? error.data.code;
    };
    /** Opens a stream, and collects its events until it closes for good. */
    window.listen = (ticket) => {
      /** @type {{ events: string[], isClosed: boolean, hello: any }} */
      const seen = { events: [], isClosed: false, hello: null };
      const source = new EventSource(`${hub}/api/sse?ticket=${encodeURIComponent(ticket)}`);
      source.addEventListener("connection", ({ data }) => { seen.hello = JSON.parse(data); });
      source.addEventListener("notification", ({ data }) => seen.events.push(JSON.parse(data).message));
      source.addEventListener("system", ({ data }) => seen.events.push(JSON.parse(data).event));
      source.addEventListener("error", () => { seen.isClosed = source.readyState === EventSource.CLOSED; });
      return seen;
    };
  }, hub.origin);
  return { hub, page, wire };
}

test("a ticket opens one stream", async (t) => {
  const { hub, page, wire } = await visit(t);
  const authorization = `Bearer ${await token("ada", 600)}`;
  assert.equal(await page.evaluate(() => window.call("createTicket", {})), "UNAUTHORIZED");
  await page.evaluate(async (authorization) => {
    const { ticket } = await window.call("createTicket", {}, { authorization });
    window.ticket = ticket;
    window.first = window.listen(ticket);
  }, authorization);
  await until(() => page.evaluate(() => window.first.hello?.userId === "ada"));
  await page.evaluate(() => { window.second = window.listen(window.ticket); });
  await until(() => page.evaluate(() => window.second.isClosed));
  const streams = await wire.waitFor("GET", "/api/sse", 2);
  assert.deepEqual(streams.map(({ status, sent }) => [status, sent.cookie]), [[200, undefined], [401, undefined]]);

  assert.deepEqual(await hub.backend("sendSuccess", { userId: "ada", message: "done" }), { matched: 1 });
  await until(() => page.evaluate(() => window.first.events.length > 0));
  const seen = await page.evaluate(() => [window.first.events, window.first.isClosed, window.second.events]);
  assert.deepEqual(seen, [["done"], false, []]);
});

test("a stream ends with its token, and goes on with a new one", async (t) => {
  const { hub, page } = await visit(t);
  const [short, long, stranger] = await Promise.all([token("ada", SHORT), token("ada", 600), token("bob", 600)]);
  await page.evaluate(async (authorization) => {
    const tickets = await Promise.all([1, 2].map(() => window.call("createTicket", {}, { authorization })));
    [window.ending, window.renewed] = tickets.map(({ ticket }) => window.listen(ticket));
  }, `Bearer ${short}`);
  await until(() => page.evaluate(() => window.ending.hello && window.renewed.hello));
  const renew = (token) =>
    page.evaluate((token) => window.call("renew", { clientId: window.renewed.hello.clientId, token }), token);
  assert.equal(await renew(stranger), "FORBIDDEN");
  assert.deepEqual(await renew(long), { matched: 1 });

  // The browser reconnects with the ticket, which is used up, so the stream closes for good.
  await until(() => page.evaluate(() => window.ending.isClosed));
  assert.deepEqual(await page.evaluate(() => window.ending.events), ["auth_expired"]);
  assert.deepEqual(await hub.backend("sendInfo", { userId: "ada", message: "still there" }), { matched: 1 });
  await until(() => page.evaluate(() => window.renewed.events.length > 0));
  assert.deepEqual(await page.evaluate(() => [window.renewed.events, window.renewed.isClosed]), [["still there"], false]);
});

test("a stream ends with the session in its cookie, and goes on with a new one", async (t) => {
  const ages = [SHORT, SHORT, 600];
  const site = await serveSite(t, { signIn: () => signIn("v5", { sub: "ada" }, { maxAge: ages.shift() }) });
  const options = ["--auth", "nextauth", "--origins", site.origin, ...PROMPT];
  const hub = await startHub(t, { secrets: { AUTH_SECRET: SECRET }, options });
  const open = async () => {
    const page = await (await openContext(t)).newPage();
    await page.goto(`${site.origin}/sign-in?hub=${hub.origin}`);
    await page.getByText("signed in as ada").waitFor();
    return page;
  };
  const [ending, renewed] = [await open(), await open()];
  // The site renews its cookie. The page then calls `renew` without a token, since it has none.
  const answer = await renewed.evaluate(async (hub) => {
    await fetch("/sign-in");
    const init = {
      method: "POST",
      credentials: /** @type {const} */ ("include"),
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ clientId: window.hello.clientId }),
    };
    return (await fetch(`${hub}/api/trpc/sse.renew`, init)).json();
  }, hub.origin);
  assert.deepEqual(answer, { result: { data: { matched: 1 } } });
  await ending.getByText("closed").waitFor();
  const told = await ending.getByRole("listitem").allTextContents();
  assert.ok(told.includes("auth_expired"), told.join());
  await hub.backend("sendInfo", { userId: "ada", message: "still there" });
  await renewed.getByText("still there").waitFor();
  assert.deepEqual(await renewed.getByRole("listitem").allTextContents(), ["signed in as ada", "still there"]);
});
