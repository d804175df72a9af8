// A network between a browser and a hub that tests can cut.

import { once } from "node:events";
import net from "node:net";

/**
 * Starts a proxy that forwards bytes to a hub. The proxy ends with the test.
 *
 * @param {import("node:test").TestContext} test
 * @param {string} origin origin of the hub
 */
export async function startNetwork(test, origin) {
  const { hostname, port } = new URL(origin);
  /** @type {Set<net.Socket>} */
  const sockets = new Set();
  let isDown = false;
  const server = net.createServer((browser) => {
    if (isDown) {
      browser.destroy();
      return;
    }
    const hub = net.connect(Number(port), hostname);
    for (const [from, to] of [[browser, hub], [hub, browser]]) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => {});
      from.on("close", () => { to.destroy(); sockets.delete(from); });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const end = () => sockets.forEach((socket) => socket.destroy());
  test.after(() => { end(); server.close(); });
  const address = /** @type {net.AddressInfo} */ (server.address());
  return {
    origin: `http://127.0.0.1:${address.port}`,
    /** Closes all connections, and rejects new ones. */
    cut() { isDown = true; end(); },
    /** Accepts connections again. */
    heal() { isDown = false; },
  };
}
