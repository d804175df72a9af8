// An app in typical style: inline callbacks, StrictMode, two components on one stream.

import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { useNotifications, useSSE } from "../../src/react.js";
import { createSSE } from "../../src/client.js";

window.calls = [];
window.renders = 0;

function Stream({ id, ...options }) {
  window.renders++;
  const sse = useSSE({
    reconnectInterval: 50,
    onConnect: () => window.calls.push(`${id} connect`),
    onDisconnect: () => window.calls.push(`${id} disconnect`),
    onMessage: ({ type }) => window.calls.push(`${id} ${type}`),
    onError: ({ code }) => window.calls.push(`${id} error ${code}`),
    ...options,
  });
  (window.sse ??= {})[id] = sse;
  const { isConnected, isConnecting, lastMessage, messages, error } = sse;
  return (
    <p id={id} data-members={Object.keys(sse).sort().join()} data-last={JSON.stringify(lastMessage?.data)} data-count={messages.length}
      data-error={error?.code}>
      {isConnected ? "connected" : isConnecting ? "connecting" : "over"}
    </p>
  );
}

function Bell({ url }) {
  const { notifications, unread, dismiss, markRead } = useNotifications({ url, reconnectInterval: 50 });
  return (
    <div id="bell" data-unread={unread}>
      {notifications.map(({ id, type, title, message }) => (
        <button key={id} onClick={() => dismiss(id)}>{`${type} ${title ?? ""} ${message}`}</button>
      ))}
      <button id="read" onClick={() => markRead()}>Read</button>
    </div>
  );
}

const own = createSSE({ url: "/api/sse?own" });

export function App() {
  const [state, setState] = useState({ url: "/api/sse", streams: ["a", "b"], tick: 0, token: "t1" });
  window.set = (change) => setState((state) => ({ ...state, ...change }));
  window.token = state.token;
  window.own = own;
  return (
    <>
      {state.streams.map((id) => (
        <Stream key={id} id={id} url={state.url} tick={undefined} headers={() => ({ authorization: state.token })} maxMessages={3} />
      ))}
      {state.bell && <Bell url={state.url} />}
      {state.own && <Stream id="own" client={own} />}
    </>
  );
}

if (globalThis.document) {
  createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>);
}
