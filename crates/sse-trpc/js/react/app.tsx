// The client of an app created with create-t3-app, with a few components on top.

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { httpBatchStreamLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import superjson from "superjson";
import type { AppRouter } from "../../types/app-router.d.ts";

const api = createTRPCReact<AppRouter<true>>();
const url = "/api/trpc?user=ada";

function App() {
  const stats = api.sse.getStats.useQuery();
  const page = api.sse.getConnections.useInfiniteQuery({ limit: 1 }, { getNextPageParam: (last) => last.nextCursor });
  const send = api.sse.sendSuccess.useMutation({ onSuccess: () => stats.refetch() });
  const wrong = api.sse.sendSuccess.useMutation();
  const [events, setEvents] = useState<string[]>([]);
  const live = api.sse.events.useSubscription({ topics: [] }, {
    onData: (data) => {
      const event = "id" in data ? data.data : data;
      setEvents((known) => [...known, `${event.type} ${JSON.stringify(event.data)}`]);
    },
  });
  return (
    <main>
      <output id="connections">{stats.data?.totalConnections ?? "…"}</output>
      <output id="users">{Object.keys(stats.data?.connectionsByUser ?? {}).join()}</output>
      <output id="listed">{page.data?.pages.flatMap((it) => it.items).length ?? "…"}</output>
      <output id="live">{live.status}</output>
      <button id="refresh" onClick={() => void Promise.all([stats.refetch(), page.refetch()])}>Refresh</button>
      <button id="send" onClick={() => send.mutate({ title: "Reports", message: "Your export is ready" })}>Send</button>
      <output id="matched">{send.data?.matched ?? "…"}</output>
      <button id="wrong" onClick={() => wrong.mutate({ message: "" })}>Send nothing</button>
      <output id="error">{wrong.error && `${wrong.error.data?.code}: ${wrong.error.message}`}</output>
      <ul id="events">{events.map((event, index) => <li key={index}>{event}</li>)}</ul>
    </main>
  );
}

const links = [
  splitLink({
    condition: (operation) => operation.type === "subscription",
    true: httpSubscriptionLink({ url, transformer: superjson }),
    false: httpBatchStreamLink({ url, transformer: superjson, headers: { "x-trpc-source": "nextjs-react" } }),
  }),
];
const client = api.createClient({ links });
const queries = new QueryClient();

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <api.Provider client={client} queryClient={queries}>
      <QueryClientProvider client={queries}><App /></QueryClientProvider>
    </api.Provider>
  </StrictMode>,
);
