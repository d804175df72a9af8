// Checks the package's types from the view of an app; never run.

import { SSEError, createSSE, type SSEMessage, type SSENotification } from "sse-browser";
import type { AppRouter } from "sse-browser/app-router";
import { createHooks } from "sse-browser/hooks";
import { createNotifications } from "sse-browser/notifications";
import { createParser } from "sse-browser/parser";
import { useNotifications, useSSE } from "sse-browser/react";

const client = createSSE({
  url: "/api/sse",
  topics: ["news"],
  headers: async () => ({ authorization: "Bearer …" }),
  ticket: () => fetch("/ticket").then((answer) => answer.text()),
  onError: (error) => {
    const code: "network" | "ended" | string = error.code;
    const isError: boolean = error instanceof SSEError && error.retryable;
    return void [code, isError];
  },
  onGap: ({ reason, dropped }) => void [reason.length, dropped],
});
client.connect();
client.disconnect({ everywhere: true });
const off: () => void = client.on("notification", (message: SSEMessage<SSENotification>) => void message.data.message.length);
off();
client.subscribe(({ state, error, messages }) => void [state === "open", error?.status, messages.length]);

// @ts-expect-error: there is no such state
client.getSnapshot().state === "opened";
// @ts-expect-error: topics are texts
createSSE({ topics: [1] });
// @ts-expect-error: messages are never changed
client.getSnapshot().messages.push();

const { notifications, unread } = createNotifications(client).getSnapshot();
const kinds: ("info" | "success" | "warning" | "error")[] = notifications.map(({ type }) => type);
createParser({ onEvent: ({ type, data, id }) => void [type, data, id?.length] }).feed(new Uint8Array());

export function Component() {
  const { isConnected, isConnecting, lastMessage, messages, error, connect, disconnect, clearMessages } =
    useSSE({ onMessage: ({ type, data }) => void [type, data], enabled: isUser() });
  const { dismiss, markRead } = useNotifications({ maxNotifications: 20, onNotification: ({ isRead }) => void isRead });
  connect(); disconnect(); clearMessages(); dismiss("n1"); markRead();
  return [isConnected && isConnecting, lastMessage?.type, messages.length, error?.message, unread, kinds];
}

// The data of each type.
type Events = { order: { total: number }; stock: string };
const typed = createSSE<Events>();
typed.on("order", ({ type, data }) => void [type satisfies "order", data.total.toFixed()]);
typed.on("notification", ({ data }) => void data.message.length);
typed.on("*", (message) => { if (message.type === "stock") message.data.length; });
// @ts-expect-error: there is no such type of event
typed.on("orders", () => {});
// @ts-expect-error: the total is a number
typed.on("order", ({ data }) => void data.total.length);
client.on("anything", ({ data }) => void data.anything);

export function Typed() {
  const { lastMessage, on, clientId, role, disconnect } = useSSE<Events>({ url: "/api/sse" });
  on("order", ({ data }) => void data.total);
  disconnect({ everywhere: true });
  const { userId } = useNotifications<Events>();
  return lastMessage?.type === "order" ? lastMessage.data.total : [clientId, userId, role];
}

declare function isUser(): boolean;
export const hooks: { useSSE: typeof useSSE } = createHooks({} as Parameters<typeof createHooks>[0]);
export type Procedures = AppRouter["sse"];
createSSE({ query: new URLSearchParams(), headers: new Headers() });
createSSE({ query: () => [["a", "1"]], headers: { a: "1" }, method: "POST", body: "{}" });
// @ts-expect-error: numbers are not texts
createSSE({ reconnectInterval: "5" });
