// A network between a client and a hub that fails on demand.

import { once } from "node:events";
import net from "node:net";

/** Forwards bytes to a hub's address. The proxy ends with the test. */
export async function startProxy(test, address) {
  const { hostname, port } = new URL(address);
  const pairs = new Set();
  let isDown = false;
  const server = net.createServer((client) => {
    if (isDown) return client.destroy();
    const hub = net.connect(Number(port), hostname);
    const pair = { client, hub };
    pairs.add(pair);
    for (const [from, to] of [[client, hub], [hub, client]]) {
      from.pipe(to);
      from.on("error", () => {});
      from.on("close", () => { to.destroy(); pairs.delete(pair); });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const end = () => pairs.forEach(({ client, hub }) => { client.destroy(); hub.destroy(); });
  test.after(() => { end(); server.close(); });
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    /** Ends all connections, and refuses new ones. */
    cut() { isDown = true; end(); },
    /** Accepts connections again. */
    heal() { isDown = false; },
    /** Keeps the open connections without passing bytes on; new connections work. */
    freeze() { pairs.forEach(({ client, hub }) => { hub.unpipe(client); hub.resume(); }); },
  };
}
