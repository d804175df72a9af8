// The calls that the types allow, and those that they reject.

import {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
} from "@trpc/client";
import type { TRPCBuiltRouter, TRPCMutationProcedure } from "@trpc/server";
import superjson from "superjson";
import type { AppRoot, AppRouter, Done, SseEvent, SseProcedures } from "../types/app-router.d.ts";

const url = "/api/trpc";
const plain = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url })] });

export async function allowed(): Promise<unknown[]> {
  const stats = await plain.sse.getStats.query();
  await plain.sse.getStats.query({ byUser: false, limit: 3 });
  const kicked: number = stats.totalConnections + stats.disconnected.kicked;
  const byUser: { [user: string]: number } | undefined = stats.connectionsByUser;
  const done: Done = await plain.sse.sendSuccess.mutate({ message: "m", title: "t", data: { a: 1 } });
  const page = await plain.sse.getConnections.query({ limit: 1, topic: "news" });
  const next: number | string | null = page.nextCursor;
  await plain.sse.publish.mutate({ target: { user: "42" }, event: "x", data: [1], except: ["…"] });
  await plain.sse.publish.mutate({ target: "all", event: "x", data: null });
  const once: Done = await plain.sse.publish.mutate({ target: "all", event: "x", data: 1, key: "k", ephemeral: null });
  const wasThere: true | undefined = once.duplicate;
  const gaps: number | undefined = stats.log?.gaps.trimmed;
  const isAway = stats.log?.state === "away";
  await plain.sse.sendNotification.mutate({ userId: "42", type: "warning", message: "m" });
  await plain.sse.disconnect.mutate({ target: { client: "…" }, reason: "r" });
  await plain.sse.join.mutate({ clientId: "…", topics: ["news"] });
  return [kicked, byUser, done.matched, next, wasThere, gaps, isAway];
}

export async function refused(): Promise<void> {
  // @ts-expect-error a message is needed
  await plain.sse.sendSuccess.mutate({ title: "t" });
  // @ts-expect-error there is no such field
  await plain.sse.sendSuccess.mutate({ message: "m", tilte: "t" });
  // @ts-expect-error there is no such procedure
  await plain.sse.sendSucess.mutate({ message: "m" });
  // @ts-expect-error a query is no mutation
  await plain.sse.getStats.mutate();
  // @ts-expect-error there is no such target
  await plain.sse.publish.mutate({ target: "everyone", event: "x", data: null });
  // @ts-expect-error there is no such kind
  await plain.sse.broadcastNotification.mutate({ type: "fatal", message: "m" });
  // @ts-expect-error a number is no text
  const text: string = (await plain.sse.getStats.query()).totalConnections;
  console.log(text);
}

const wrapped = createTRPCClient<AppRouter<true>>({
  links: [
    splitLink({
      condition: (operation) => operation.type === "subscription",
      true: httpSubscriptionLink({ url, transformer: superjson }),
      false: httpBatchStreamLink({ url, transformer: superjson }),
    }),
  ],
});

wrapped.sse.events.subscribe({ topics: ["news"], lastEventId: "7" }, {
  onData(data) {
    const event: SseEvent = "id" in data ? data.data : data;
    console.log(event.type);
  },
});

// @ts-expect-error a transformer is needed
createTRPCClient<AppRouter<true>>({ links: [httpLink({ url })] });
// @ts-expect-error a transformer is too much
createTRPCClient<AppRouter>({ links: [httpLink({ url, transformer: superjson })] });

// An app's own procedures, in addition to those of the hub.
type Rooms = { rooms: { ring: TRPCMutationProcedure<{ input: { name: string }; output: number; meta: object }> } };
const own = createTRPCClient<TRPCBuiltRouter<AppRoot, SseProcedures & Rooms>>({ links: [httpLink({ url })] });
export const ring = (): Promise<number> => own.rooms.ring.mutate({ name: "lobby" });
