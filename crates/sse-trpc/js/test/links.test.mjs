// Every link of the current client, with and without superjson.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import test from "node:test";
import { TRPCClientError, createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink } from "@trpc/client";
import superjson from "superjson";
import { startHub } from "./hub.mjs";

const links = { httpLink, httpBatchLink, httpBatchStreamLink };

async function failure(promise) {
  const error = await promise.then(() => assert.fail("it went well"), (error) => error);
  assert.ok(error instanceof TRPCClientError, String(error));
  return { message: error.message, code: error.shape?.code, data: error.data };
}

for (const [name, link] of Object.entries(links)) {
  for (const transformer of [undefined, superjson]) {
    const form = transformer ? "superjson" : "json";
    test(`${name} with ${form}`, async (t) => {
      const hub = await startHub(t, "--trpc-transformer", form);
      const client = (query = "", headers = {}) =>
        createTRPCClient({ links: [link({ url: hub.url + query, transformer, headers })] });
      // The setup of create-t3-app.
      const api = client("", { "x-trpc-source": "nextjs-react" });

      const stats = await api.sse.getStats.query();
      assert.deepEqual([stats.totalConnections, stats.uniqueUsers, stats.connectionsByUser], [0, 0, {}]);
      assert.equal(stats.disconnected.kicked, 0);
      assert.deepEqual(await api.sse.getConnections.query({ limit: 10 }), { items: [], nextCursor: null });

      // Sent in one request if the link makes batches.
      const [first, second, wrong] = await Promise.all([
        api.sse.getStats.query({ byUser: false }),
        api.sse.getConnections.query(),
        failure(api.sse.getStats.query({ limit: 0 })),
      ]);
      assert.equal(first.connectionsByUser, undefined);
      assert.deepEqual(second.items, []);
      const data = { code: "BAD_REQUEST", httpStatus: 400, path: "sse.getStats" };
      assert.deepEqual(wrong, { message: "limit: must be 1 to 10000, not 0", code: -32600, data });

      // An `undefined` member counts as absent.
      const sent = await client("?user=ada").sse.sendSuccess.mutate({ message: "Mé😀", title: undefined });
      assert.deepEqual(sent, { matched: 0 });
      const [one, other] = await Promise.all([
        api.sse.broadcastNotification.mutate({ type: "warning", message: "soon" }),
        api.sse.publish.mutate({ target: { user: "ada" }, event: "x", data: { n: [1, null] } }),
      ]);
      assert.deepEqual([one, other], [{ matched: 0 }, { matched: 0 }]);

      const missing = await failure(api.sse.nothing.query());
      assert.equal(missing.message, 'No procedure found on path "sse.nothing"');
      assert.equal(missing.data.httpStatus, 404);
      const nobody = await failure(api.sse.sendInfo.mutate({ message: "to whom?" }));
      assert.equal(nobody.message, "userId: is missing, and the caller is not a user");
      const field = await failure(api.sse.sendInfo.mutate({ message: "x", userId: "ada", tilte: "x" }));
      assert.match(field.message, /unknown field `tilte`/);
    });
  }
}

test("queries by POST", async (t) => {
  const hub = await startHub(t);
  const api = createTRPCClient({ links: [httpLink({ url: hub.url, methodOverride: "POST" })] });
  // The hub does not allow method override; an app enables it with `Management::method_override`.
  const { data } = await failure(api.sse.getStats.query());
  assert.equal(data.code, "METHOD_NOT_SUPPORTED");
});

test("a batch larger than the limit of the hub", async (t) => {
  const hub = await startHub(t, "--management-batch", "3");
  const small = createTRPCClient({ links: [httpBatchLink({ url: hub.url, maxItems: 3 })] });
  const four = (api) => Promise.all([1, 2, 3, 4].map((limit) => api.sse.getStats.query({ limit })));
  assert.equal((await four(small)).length, 4);
  const large = createTRPCClient({ links: [httpBatchLink({ url: hub.url })] });
  assert.equal((await failure(four(large))).message, "Batch call exceeds maximum size");
});

test("spaces between lines of a slow batch are ignored", async (t) => {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    // A response as the server writes it, with its pings.
    const pieces = ['{"0":[[0],[null,0,0]]}\n', " ", " ", '[0,0,[[{"result":{"data":7}}]]]\n'];
    const timer = setInterval(() => {
      const piece = pieces.shift();
      if (piece !== undefined) response.write(piece);
      else response.end(() => clearInterval(timer));
    }, 20);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.closeAllConnections(); server.close(); });
  const url = `http://127.0.0.1:${server.address().port}`;
  const api = createTRPCClient({ links: [httpBatchStreamLink({ url })] });
  assert.equal(await api.slow.query(), 7);
});
