// A server that a test controls, request by request.

import { once } from "node:events";
import http from "node:http";
import { readFile } from "node:fs/promises";

const SOURCES = new URL("../../src/", import.meta.url);
const PAGE = '<!doctype html><meta charset="utf-8"><title>Test</title><link rel="icon" href="data:,"><body></body>';

/** Bytes that the corpus represents as characters. */
export const bytes = (text) => Buffer.from(text, "latin1");

/**
 * Serves the client's modules at `/sse/`, an empty page at `/`, and everything else by `answer`.
 *
 * @param {import("node:test").TestContext} test
 * @param {(request: http.IncomingMessage, response: http.ServerResponse) => void} answer
 */
export async function serve(test, answer = () => {}) {
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    const module = pathname.match(/^\/sse\/([a-z-]+\.js)$/)?.[1];
    if (module) {
      response.writeHead(200, { "content-type": "text/javascript" }).end(await readFile(new URL(module, SOURCES)));
    } else if (pathname === "/") {
      response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    } else {
      answer(request, response);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address();
  return { url: `http://127.0.0.1:${port}`, port, server };
}

/** Starts a stream. */
export function begin(response, ...blocks) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
  for (const block of blocks) response.write(block);
  return response;
}

/** The first block of a stream of `sse-core`. */
export function hello({ id, retry = 50, heartbeatMs = null, clientId = "c1", userId = null, resumed = false } = {}) {
  const data = { status: "connected", clientId, userId, resumed, heartbeatMs, timestamp: Date.now() };
  return `retry: ${retry}\n${id ? `id: ${id}\n` : ""}event: connection\ndata: ${JSON.stringify(data)}\n\n`;
}

/** A system event. */
export function system(event, data, more = "") {
  return `${more}event: system\ndata: ${JSON.stringify({ event, data, timestamp: Date.now() })}\n\n`;
}
