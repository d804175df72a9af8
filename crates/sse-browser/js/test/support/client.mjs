// A client in a world of its own, with a record of what it says.

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

/** The same, connected, with a stream that is open. */
export async function openClient(options, part, text = "", headers = {}) {
  const all = createClient(options, part);
  all.client.connect();
  await all.world.pass(0);
  await all.world.last.open(text, headers);
  return all;
}
