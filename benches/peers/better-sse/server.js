// The server that a user of better-sse writes: a session for each client, one channel for all.
// Routes and order of output are those of the servers of `load`.

import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";

const channel = createChannel();

async function publish(request, response) {
  let data = "";
  for await (const piece of request.setEncoding("utf8")) data += piece;
  channel.broadcast(JSON.parse(data), "tick");
  response.writeHead(200).end();
}

const server = createServer(async (request, response) => {
  if (request.method === "GET") {
    channel.register(await createSession(request, response));
  } else {
    await publish(request, response);
  }
});

// The connection of the publisher is idle while streams are opened.
server.keepAliveTimeout = 120_000;
server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  console.log(`http://127.0.0.1:${server.address().port}/sse`);
});
