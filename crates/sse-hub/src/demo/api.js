// The management API: the tRPC wire, as plain requests.

import { $ } from "./dom.js";

/**
 * `true` if the hub speaks superjson, as its first response shows.
 *
 * @type {Promise<boolean> | undefined}
 */
let superjson;

const address = (procedure, query) => {
  const user = $("user").dataset.name;
  return `/api/trpc/sse.${procedure}?${new URLSearchParams({ ...(user && { user }), ...query })}`;
};

async function isSuperjson() {
  superjson ??= fetch(address("getStats", {}))
    .then((answer) => answer.json())
    .then(({ result }) => "json" in result.data)
    .catch((error) => {
      superjson = undefined;
      throw error;
    });
  return superjson;
}

/** @param {Response} answer @param {boolean} isWrapped */
async function read(answer, isWrapped) {
  const text = await answer.text();
  let envelope;
  try {
    envelope = JSON.parse(text);
  } catch {
    throw new Error(`${answer.status}: ${text.trim()}`);
  }
  const { error, result } = envelope;
  if (error) throw new Error((isWrapped ? error.json : error).message);
  return isWrapped ? result.data.json : result.data;
}

/** @param {string} procedure @param {object} input */
export async function query(procedure, input = {}) {
  const isWrapped = await isSuperjson();
  const text = JSON.stringify(isWrapped ? { json: input } : input);
  return read(await fetch(address(procedure, { input: text })), isWrapped);
}

/** @param {string} procedure @param {object} input */
export async function mutate(procedure, input) {
  const isWrapped = await isSuperjson();
  const body = JSON.stringify(isWrapped ? { json: input } : input);
  return read(await fetch(address(procedure, {}), { method: "POST", body, headers: { "content-type": "application/json" } }), isWrapped);
}
