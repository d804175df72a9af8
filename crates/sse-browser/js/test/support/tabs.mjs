// Tabs of one browser, and the server of their streams, under a test's control.

import { createSSE } from "../../src/client.js";
import { createParts, createStorage } from "./browser.mjs";
import { createWorld, settle } from "./world.mjs";

/** A server with a log; it forgets the events before `server.first`. */
export function createServer() {
  const streams = new Set();
  const log = [];
  const encode = (text) => new TextEncoder().encode(text);
  const block = (number) => `id: e-${number}\nevent: notification\ndata: {"message":"${number}"}\n\n`;
  const server = {
    streams,
    first: 1,
    get end() { return log.length; },
    publish: () => {
      log.push(log.length + 1);
      for (const controller of streams) controller.enqueue(encode(block(log.length)));
    },
    heartbeat: () => {
      for (const controller of streams) controller.enqueue(encode(`id: e-${log.length}\nevent: heartbeat\ndata: {}\n\n`));
    },
    /** Sends a block to all streams, without logging it. */
    send: (text) => { for (const controller of streams) controller.enqueue(encode(text)); },
    /** Cuts all streams. */
    restart: () => {
      for (const controller of streams) controller.error(new TypeError("network error"));
      streams.clear();
    },
    fetch: async (_url, { headers, signal }) => {
      const asked = headers.get("last-event-id");
      const from = asked ? Number(asked.slice(2)) : log.length;
      let mine;
      const body = new ReadableStream({
        start: (controller) => {
          mine = controller;
          streams.add(controller);
          controller.enqueue(encode(`retry: 100\nid: e-${from}\nevent: connection\ndata: {"status":"connected","heartbeatMs":0}\n\n`));
          if (from + 1 < server.first) {
            controller.enqueue(encode(`id: e-${server.first - 1}\nevent: system\ndata: {"event":"gap","data":{"reason":"trimmed"}}\n\n`));
          }
          for (const number of log.slice(Math.max(from, server.first - 1))) controller.enqueue(encode(block(number)));
        },
      });
      signal.addEventListener("abort", () => {
        if (!streams.delete(mine)) return;
        mine.error(new DOMException("aborted", "AbortError"));
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    },
  };
  return server;
}

/** A browser: its tabs share locks, channels and the local storage. */
export function createBrowser(server) {
  const shared = createParts();
  return {
    /** Opens a tab; with the session storage of an earlier tab, it is that tab restored. */
    open: ({ sessionStorage = createStorage(), ...options } = {}) => {
      const world = createWorld({ ...shared, sessionStorage, fetch: server.fetch, random: Math.random() });
      const tab = { world, sessionStorage, numbers: [], gaps: [], states: [] };
      const client = createSSE({
        user: "ada",
        ...options,
        onMessage: ({ type, data }) => { if (type === "notification") tab.numbers.push(Number(data.message)); },
        onGap: (gap) => tab.gaps.push(gap),
      }, world);
      client.connect();
      return Object.assign(tab, { client });
    },
    /** Closes a tab, as a browser does: without a word. */
    close: async (tab) => {
      await tab.world.fire(tab.world.window, "pagehide");
    },
  };
}

/** Passes time in all tabs until nothing changes. */
export async function calm(tabs) {
  for (let round = 0; round < 3; round++) {
    await settle();
    for (const tab of tabs) await tab.world.pass(200);
  }
}
