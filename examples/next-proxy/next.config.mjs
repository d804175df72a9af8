const hub = process.env.HUB ?? "http://127.0.0.1:8080";

/** @type {import("next").NextConfig} */
export default {
  rewrites: async () => [
    { source: "/api/sse", destination: `${hub}/api/sse` },
    { source: "/api/trpc/:path*", destination: `${hub}/api/trpc/:path*` },
  ],
  experimental: {
    // Timeout in milliseconds for a silent hub. Next's default is 30 s, and a heartbeat interval of
    // 30 s exceeds it.
    proxyTimeout: 120_000,
  },
};
