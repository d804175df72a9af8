// Many clients of the browser under Node, each reporting what it receives.
//
// The first line of the input configures them: {"url", "clients": [{"user", "topics"}]}. Each line
// of the output is an observation of one client, in its order: {"client": index, "type", "id",
// "data"} for a message, {"client", "state"} for a change of state. The process ends with its
// input.

import { once } from "node:events";
import { createInterface } from "node:readline";
import { createSSE } from "../../sse-browser/js/src/client.js";

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, "line");
const { url, clients } = JSON.parse(line);
lines.on("close", () => process.exit(0));

/** @param {object} heard */
const tell = (heard) => process.stdout.write(`${JSON.stringify(heard)}\n`);

clients.forEach(({ user, topics }, client) => {
  const sse = createSSE({
    url,
    topics,
    query: { user },
    reconnectInterval: 500,
    maxReconnectAttempts: Infinity,
    backoff: { factor: 2, max: 2000, jitter: "full" },
    maxMessages: 1,
    onMessage: ({ type, id = "", data }) => tell({ client, type, id, data }),
  });
  let was = "";
  sse.subscribe(({ state }) => {
    if (state !== was) tell({ client, state: (was = state) });
  });
  sse.connect();
});
