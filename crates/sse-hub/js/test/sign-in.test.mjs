// A user signs in at a site, and receives events that a backend sends through the hub. The page has
// another origin than the hub, but the same host, so the browser sends the site's HttpOnly cookie.

import assert from "node:assert/strict";
import test from "node:test";
import { build } from "esbuild";
import { record, useChromium } from "./support/browser.mjs";
import { startHub } from "./support/hub.mjs";
import { until } from "./support/limit.mjs";
import { SECRET, signIn } from "./support/sessions.mjs";
import { serveSite } from "./support/site.mjs";

const openContext = useChromium();

const user = { sub: "user_1", name: "Ada Lövelace 😀" };
const large = { ...user, note: "ü".repeat(5000) };
const secrets = { v4: { NEXTAUTH_SECRET: SECRET }, v5: { AUTH_SECRET: SECRET } };

/** Opens the page of a signed-in visitor, and records its exchanges with the hub. */
async function visit(t, { version = /** @type {"v4" | "v5"} */ ("v5"), token = user, script = "" } = {}) {
  const site = await serveSite(t, { signIn: () => signIn(version, token), script });
  const hub = await startHub(t, { secrets: secrets[version], options: ["--auth", "nextauth", "--origins", site.origin] });
  const page = await (await openContext(t)).newPage();
  const wire = await record(page, hub.origin);
  await page.goto(`${site.origin}/sign-in?hub=${hub.origin}`);
  await page.getByText("signed in as user_1").waitFor();
  return { hub, site, page, wire };
}

for (const version of /** @type {const} */ (["v4", "v5"])) {
  for (const [size, token] of /** @type {const} */ ([["small", user], ["large", large]])) {
    test(`from sign-in to notification, with a ${size} session of ${version}`, async (t) => {
      const { hub, site, page, wire } = await visit(t, { version, token });
      assert.equal(await page.evaluate(() => document.cookie), "", "no script sees the session");
      const [stream] = await wire.waitFor("GET", "/api/sse");
      const sent = stream.sent.cookie.split("; ").map((cookie) => cookie.split("=")[0]);
      const name = version === "v4" ? "next-auth.session-token" : "authjs.session-token";
      assert.deepEqual(sent, size === "small" ? [name] : [0, 1, 2, 3].map((n) => `${name}.${n}`));
      assert.deepEqual([stream.sent.origin, stream.sent["sec-fetch-site"]], [site.origin, "same-site"]);

      assert.deepEqual(await hub.backend("sendSuccess", { userId: "user_2", message: "for another" }), { matched: 0 });
      assert.deepEqual(await hub.backend("sendSuccess", { userId: "user_1", message: "Your export is ready" }), { matched: 1 });
      await page.getByText("Your export is ready").waitFor();
      assert.deepEqual(await page.getByRole("listitem").allTextContents(), ["signed in as user_1", "Your export is ready"]);
    });
  }
}

test("a session of another site's secret is nobody's", async (t) => {
  const site = await serveSite(t, { signIn: () => signIn("v5", user) });
  const secrets = { AUTH_SECRET: "the secret of another site, 0123456789" };
  const hub = await startHub(t, { secrets, options: ["--auth", "nextauth", "--origins", site.origin] });
  const page = await (await openContext(t)).newPage();
  const wire = await record(page, hub.origin);
  await page.goto(`${site.origin}/sign-in?hub=${hub.origin}`);
  await page.getByText("closed").waitFor();
  const streams = await wire.waitFor("GET", "/api/sse");
  assert.deepEqual(streams.map(({ status, sent }) => [status, "cookie" in sent]), [[401, true]]);
});

test("tRPC's client calls and listens with the session", async (t) => {
  const { outputFiles } = await build({
    stdin: {
      contents: 'import * as trpc from "@trpc/client"; window.trpc = trpc;',
      resolveDir: new URL(".", import.meta.url).pathname,
    },
    bundle: true,
    write: false,
    format: "iife",
  });
  const { hub, page, wire } = await visit(t, { script: outputFiles[0].text });
  await page.addScriptTag({ url: "/script.js" });
  const answers = await page.evaluate(async (url) => {
    const { createTRPCClient, httpBatchStreamLink, httpSubscriptionLink, splitLink } = window.trpc;
    const api = createTRPCClient({
      links: [
        splitLink({
          condition: ({ type }) => type === "subscription",
          true: httpSubscriptionLink({ url, eventSourceOptions: () => ({ withCredentials: true }) }),
          false: httpBatchStreamLink({ url, fetch: (input, init) => fetch(input, { ...init, credentials: "include" }) }),
        }),
      ],
    });
    window.events = [];
    api.sse.events.subscribe(undefined, { onData: (event) => window.events.push(event) });
    await new Promise((resolve) => {
      const timer = setInterval(() => { if (window.events.length > 0) { clearInterval(timer); resolve(null); } }, 10);
    });
    const [sent, refused] = await Promise.all([
      api.sse.sendInfo.mutate({ message: "from the page to myself" }),
      api.sse.sendInfo.mutate({ message: "to another", userId: "user_2" }).catch(({ data }) => data.code),
    ]);
    return { sent, refused };
  }, `${hub.origin}/api/trpc`);
  assert.deepEqual(answers, { sent: { matched: 2 }, refused: "FORBIDDEN" });
  await page.getByText("from the page to myself").waitFor();
  await until(() => page.evaluate(() => window.events.length === 2));
  const [hello, notification] = await page.evaluate(() => window.events);
  assert.deepEqual([hello.type, hello.data.userId], ["connection", "user_1"]);
  assert.deepEqual([notification.type, notification.data.message], ["notification", "from the page to myself"]);
  // One request for both calls, after one preflight.
  const path = "/api/trpc/sse.sendInfo,sse.sendInfo";
  assert.deepEqual([(await wire.waitFor("POST", path)).length, (await wire.waitFor("OPTIONS", path)).length], [1, 1]);
});
