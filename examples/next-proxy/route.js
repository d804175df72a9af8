// app/api/sse/route.js: the stream through a handler, for hosts without rewrites, or for requests
// that need additional headers.

const hub = process.env.HUB ?? "http://127.0.0.1:8080";

// Not prerendered, and on Node, where a stream can last.
export const dynamic = "force-dynamic";
export const runtime = "nodejs";

/** Headers of the browser's request that the hub needs. */
const HEADERS = ["accept", "authorization", "cookie", "last-event-id", "origin"];

export async function GET(request) {
  const headers = new Headers();
  for (const name of HEADERS) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const { search } = new URL(request.url);
  // With the signal, the hub notices at once that the browser has disconnected.
  const answer = await fetch(`${hub}/api/sse${search}`, { headers, cache: "no-store", signal: request.signal });
  const kept = ["content-type", "cache-control", "retry-after", "x-accel-buffering"];
  const known = kept.filter((name) => answer.headers.has(name));
  return new Response(answer.body, { status: answer.status, headers: known.map((name) => [name, answer.headers.get(name)]) });
}
