import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const hub = process.env.HUB ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  // The hub beside this front end, as behind a reverse proxy.
  server: { proxy: { "/api": hub } },
  // The client is linked from this repository, where another copy of React stands beside it.
  resolve: { dedupe: ["react"] },
});
