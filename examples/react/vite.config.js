import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const hub = process.env.HUB ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  // Forwards API requests to the hub, like a reverse proxy.
  server: { proxy: { "/api": hub } },
  // The client is linked from this repository, which has another copy of React.
  resolve: { dedupe: ["react"] },
});
