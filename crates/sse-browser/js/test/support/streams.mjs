// Streams that a test controls: every request to `/api/sse` is kept, with its response.

import { begin, hello, serve } from "./server.mjs";
import { until } from "./browsers.mjs";

/** Starts a server that opens streams at once, with a log of events so that clients can resume. */
export async function serveStreams(test, answer) {
  const streams = [];
  const log = [];
  const all = await serve(test, (request, response) => {
    const url = new URL(request.url, "http://x");
    const lastEventId = request.headers["last-event-id"] ?? url.searchParams.get("lastEventId");
    const stream = { request, response, url, lastEventId, isOpen: true };
    response.on("close", () => { stream.isOpen = false; });
    streams.push(stream);
    if (answer?.(stream, streams.length)) return;
    begin(response, hello({ id: log.at(-1)?.id ?? "e-0", clientId: `c${streams.length}` }));
    const place = log.findIndex(({ id }) => id === stream.lastEventId);
    if (stream.lastEventId) for (const { block } of log.slice(place + 1)) response.write(block);
  });
  const open = () => streams.filter(({ isOpen }) => isOpen);
  return {
    ...all,
    streams,
    open,
    /** Sends an event to all streams; later streams can resume after it. */
    publish: (data) => {
      const id = `e-${log.length + 1}`;
      const block = `id: ${id}\nevent: notification\ndata: ${JSON.stringify({ message: data })}\n\n`;
      log.push({ id, block });
      for (const { response } of open()) response.write(block);
    },
    settlesAt: (count) => until(() => open().length === count),
  };
}

/** Creates a client in a page; `window.heard` records its reports. */
export async function connect(page, options = {}) {
  await page.evaluate(async (options) => {
    const { createSSE } = await import("/sse/client.js");
    window.heard = [];
    const client = (window.client = createSSE({
      ...options,
      onConnect: () => window.heard.push("connect"),
      onDisconnect: () => window.heard.push("disconnect"),
      onError: (error) => window.heard.push(`error ${error.code} ${error.status ?? ""}`.trim()),
      onGap: (gap) => window.heard.push(`gap ${gap.reason}`),
    }));
    client.on("notification", ({ data }) => window.heard.push(data.message));
    client.connect();
  }, options);
}

export const snapshot = (page) => page.evaluate(() => { const { error, ...rest } = window.client.getSnapshot(); return { ...rest, error: error && { code: error.code, status: error.status } }; });
export const heard = (page) => page.evaluate(() => window.heard);
export const messages = async (page) => (await heard(page)).filter((line) => /^\d+$/.test(line)).map(Number);
export const waitFor = (page, condition, argument) => until(() => page.evaluate(condition, argument));
export const isState = (page, state) => waitFor(page, (state) => window.client?.getSnapshot().state === state, state);
export const isRole = (page, role) => waitFor(page, (role) => window.client?.getSnapshot().role === role, role);
