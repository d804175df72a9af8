// The management API: the tRPC wire, as plain requests.

import { $ } from "./dom.js";

/** A call that the hub did not carry out. */
export class CallError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
    /** `true` if the same caller is refused every time. */
    this.isRefused = status === 401 || status === 403;
  }
}

/** The item of the session storage with the visitor's token. */
const TOKEN = "sse-demo-token";

/** Returns the headers that identify the visitor; cookies do so as well. */
export function credentials() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** Remembers a token for this tab; an empty one is forgotten. @param {string} token */
export function signIn(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

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
  superjson ??= fetch(address("getStats", {}), { headers: credentials() })
    .then((answer) => answer.json())
    // A refusal shows it as well.
    .then(({ error, result }) => "json" in (error ?? result.data))
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
    throw new CallError(answer.status, `${answer.status}: ${text.trim()}`);
  }
  const { error, result } = envelope;
  if (error) throw new CallError(answer.status, (isWrapped ? error.json : error).message);
  return isWrapped ? result.data.json : result.data;
}

/** @param {string} procedure @param {object} input */
export async function query(procedure, input = {}) {
  const isWrapped = await isSuperjson();
  const text = JSON.stringify(isWrapped ? { json: input } : input);
  return read(await fetch(address(procedure, { input: text }), { headers: credentials() }), isWrapped);
}

/** @param {string} procedure @param {object} input */
export async function mutate(procedure, input) {
  const isWrapped = await isSuperjson();
  const body = JSON.stringify(isWrapped ? { json: input } : input);
  const headers = { "content-type": "application/json", ...credentials() };
  return read(await fetch(address(procedure, {}), { method: "POST", body, headers }), isWrapped);
}
