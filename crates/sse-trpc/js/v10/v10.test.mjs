// The links of version 10.

import assert from "node:assert/strict";
import test from "node:test";
import { createTRPCProxyClient, httpBatchLink, httpLink, unstable_httpBatchStreamLink } from "@trpc/client";
import superjson from "superjson";
import { startHub } from "../test/hub.mjs";

const links = { httpLink, httpBatchLink, unstable_httpBatchStreamLink };

for (const [name, link] of Object.entries(links)) {
  for (const transformer of [undefined, superjson]) {
    const form = transformer ? "superjson" : "json";
    test(`version 10: ${name} with ${form}`, async (t) => {
      const hub = await startHub(t, "--trpc-transformer", form);
      const api = createTRPCProxyClient({ transformer, links: [link({ url: hub.url })] });
      const [stats, page, error] = await Promise.all([
        api.sse.getStats.query(),
        api.sse.getConnections.query({ limit: 1 }),
        api.sse.getStats.query({ limit: 0 }).catch((error) => error),
      ]);
      assert.equal(stats.totalConnections, 0);
      assert.deepEqual(page.items, []);
      assert.deepEqual([error.data.code, error.data.path], ["BAD_REQUEST", "sse.getStats"]);
      assert.deepEqual(await api.sse.broadcastNotification.mutate({ message: "m" }), { matched: 0 });
      const missing = await api.sse.nothing.query().catch((error) => error);
      assert.equal(missing.data.httpStatus, 404);
    });
  }
}
