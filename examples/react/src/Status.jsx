import { useSSE } from "sse-browser/react";

export function Status({ stream }) {
  const { isConnected, isConnecting, error, connect, disconnect } = useSSE({
    ...stream,
    // An inline function is safe: a new function at each render does not cause a reconnect.
    onMessage: ({ type, data }) => console.debug(type, data),
  });
  return (
    <p>
      <span role="status">{isConnected ? "Live" : isConnecting ? "Connecting" : (error?.message ?? "Not connected")}</span>{" "}
      <button onClick={isConnected ? disconnect : connect}>{isConnected ? "Disconnect" : "Connect"}</button>
    </p>
  );
}
