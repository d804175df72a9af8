// A site that uses the hub. The site signs its visitors in with cookies, and has a page that shows
// the events from the hub.

import { once } from "node:events";
import http from "node:http";

/**
 * @typedef {{ name: string, value: string,
 *   options: { maxAge?: number, secure?: boolean, sameSite?: unknown } }} SessionCookie
 */

/** A page with a stream. The query contains the address of the hub. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>A site</title>
<link rel="icon" href="data:,">
<ul></ul>
<script type="module">
  const hub = new URLSearchParams(location.search).get("hub");
  const list = document.querySelector("ul");
  const show = (text) => list.append(Object.assign(document.createElement("li"), { textContent: text }));
  const source = new EventSource(hub + "/api/sse", { withCredentials: true });
  source.addEventListener("connection", ({ data }) => {
    window.hello = JSON.parse(data);
    show("signed in as " + window.hello.userId);
  });
  source.addEventListener("notification", ({ data }) => show(JSON.parse(data).message));
  source.addEventListener("system", ({ data }) => show(JSON.parse(data).event));
  source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) show("closed"); });
</script>`;

const EMPTY = '<!doctype html><title>Another page</title><link rel="icon" href="data:,">';

/**
 * Serves a page at `/`, `/empty`, and a script at `/script.js`. `/sign-in` sets the cookies of
 * `signIn` and redirects to the page.
 *
 * @param {import("node:test").TestContext} test
 * @param {{ host?: string, signIn?: () => Promise<SessionCookie[]>, script?: string }} [setting]
 */
export async function serveSite(test, { host = "127.0.0.1", signIn, script = "" } = {}) {
  const server = http.createServer(async (request, response) => {
    const { pathname, search } = new URL(String(request.url), "http://site");
    if (pathname === "/sign-in" && signIn) {
      const cookies = (await signIn()).map(setCookie);
      response.writeHead(303, { "set-cookie": cookies, location: `/${search}` }).end();
    } else if (pathname === "/script.js") {
      response.writeHead(200, { "content-type": "text/javascript" }).end(script);
    } else {
      response.writeHead(200, { "content-type": "text/html" }).end(pathname === "/" ? PAGE : EMPTY);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { origin: `http://${host}:${port}` };
}

/** @param {SessionCookie} cookie */
function setCookie({ name, value, options: { maxAge, secure, sameSite = "lax" } }) {
  const age = maxAge === undefined ? "" : `; Max-Age=${maxAge}`;
  return `${name}=${value}; Path=/; HttpOnly; SameSite=${sameSite}${age}${secure ? "; Secure" : ""}`;
}
