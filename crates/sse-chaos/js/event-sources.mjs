// Native `EventSource`s in a headless Chromium, each reporting what it receives.
//
// The first line of the input configures them: {"url", "chromium", "profile", "clients": [{"user",
// "topics"}]}. The output is that of browsers.mjs. The state "closed" means that the browser will
// not reconnect. The browser ends with the input.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";

/**
 * Chromium opens at most six connections to one host over HTTP/1.1, so the streams are spread over
 * hosts.
 */
const STREAMS_PER_HOST = 6;

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, "line");
const { url, chromium, profile, clients } = JSON.parse(line);
const inputEnded = once(lines, "close");

// Commands go to file descriptor 3, and responses and events come from 4, each ended by a zero
// byte.
const browser = spawn(
  chromium,
  [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
    "--remote-debugging-pipe",
    `--user-data-dir=${profile}`,
  ],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
);
const ended = once(browser, "exit");
const [, , , commands, messages] = browser.stdio;

let lastId = 0;
const waiting = new Map();

function call(method, params = {}, sessionId = undefined) {
  const id = ++lastId;
  commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  return new Promise((resolve, reject) => waiting.set(id, { method, resolve, reject }));
}

function receive({ id, method, params, result, error }) {
  if (method === "Runtime.bindingCalled") process.stdout.write(`${params.payload}\n`);
  const call = waiting.get(id);
  if (!call) return;
  waiting.delete(id);
  if (error ?? result.exceptionDetails) {
    call.reject(new Error(`${call.method}: ${JSON.stringify(error ?? result.exceptionDetails)}`));
  } else {
    call.resolve(result);
  }
}

let text = "";
messages.setEncoding("utf8").on("data", (more) => {
  const parts = (text + more).split("\0");
  text = parts.pop();
  for (const part of parts) receive(JSON.parse(part));
});

/** Runs in the page. */
function openStreams(streams) {
  for (const { client, path } of streams) {
    const source = new EventSource(path);
    const report = (fields) => globalThis.report(JSON.stringify({ client, ...fields }));
    source.onopen = () => report({ state: "open" });
    source.onerror = () => report({ state: source.readyState === EventSource.CLOSED ? "closed" : "connecting" });
    let last = "";
    for (const type of ["connection", "system", "heartbeat", "number"]) {
      source.addEventListener(type, ({ data, lastEventId }) => {
        // An event without an id keeps the last one.
        const id = type === "number" && lastEventId === last ? "" : lastEventId;
        last = lastEventId;
        report({ type, id, data: JSON.parse(data) });
      });
    }
  }
}

async function openTab(host, streams) {
  const { targetId } = await call("Target.createTarget", { url: `${host}/health/live` });
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  await call("Runtime.enable", {}, sessionId);
  await call("Runtime.addBinding", { name: "report" }, sessionId);
  const isLoaded = `location.origin === ${JSON.stringify(host)} && document.readyState === "complete"`;
  while (!(await call("Runtime.evaluate", { expression: isLoaded, returnByValue: true }, sessionId)).result.value);
  const expression = `(${openStreams})(${JSON.stringify(streams)})`;
  await call("Runtime.evaluate", { expression }, sessionId);
}

const { port, pathname } = new URL(url);
const streams = clients.map(({ user, topics }, client) => ({
  client,
  path: `${pathname}?${new URLSearchParams({ user, topics: topics.join(",") })}`,
}));
for (let first = 0; first < streams.length; first += STREAMS_PER_HOST) {
  await openTab(`http://host${first}.localhost:${port}`, streams.slice(first, first + STREAMS_PER_HOST));
}

if ((await Promise.race([ended, inputEnded.then(() => "asked")])) !== "asked") throw new Error("Chromium ended");
await Promise.race([call("Browser.close"), ended]);
await ended;
await rm(profile, { recursive: true, force: true, maxRetries: 20 });
process.exit(0);
