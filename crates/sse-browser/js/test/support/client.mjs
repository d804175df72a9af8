// A client in a simulated environment, with a record of its reports.

import { createSSE } from "../../src/client.js";
import { createWorld } from "./world.mjs";

export function createClient(options = {}, part = {}) {
  const world = createWorld(part);
  const heard = [];
  const client = createSSE({
    onConnect: () => heard.push("connect"),
    onDisconnect: () => heard.push("disconnect"),
    onError: ({ code }) => heard.push(`error ${code}`),
    onGap: (gap) => heard.push(`gap ${gap.reason}`),
    onMessage: ({ type, data }) => heard.push(`${type} ${JSON.stringify(data)}`),
    ...options,
  }, world);
  return { world, client, heard, is: () => client.getSnapshot() };
}

/** Creates a client that is connected, with an open stream. */
export async function openClient(options, part, text = "", headers = {}) {
  const all = createClient(options, part);
  all.client.connect();
  await all.world.pass(0);
  await all.world.last.open(text, headers);
  return all;
}
