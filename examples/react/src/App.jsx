import { useState } from "react";
import { Bell } from "./Bell.jsx";
import { Status } from "./Status.jsx";

/** The signed-in user, which an app takes from its session. The name lets tabs share a stream. */
const USER = "ada";

/** Components with the same options share a stream. */
const STREAM = { url: `/api/sse?user=${USER}`, user: USER, maxReconnectAttempts: Infinity };

export function App() {
  const [outcome, setOutcome] = useState("");

  async function notify() {
    const answer = await fetch(`/api/trpc/sse.sendSuccess?user=${USER}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ title: "Reports", message: "Your export is ready" }),
    });
    const { result, error } = await answer.json();
    setOutcome(error ? error.message : `reached ${result.data.matched}`);
  }

  return (
    <main>
      <h1>Hello, {USER}</h1>
      <Status stream={STREAM} />
      <button onClick={notify}>Notify me</button> <output>{outcome}</output>
      <Bell stream={STREAM} />
    </main>
  );
}
