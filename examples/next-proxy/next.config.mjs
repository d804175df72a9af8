const hub = process.env.HUB ?? "http://127.0.0.1:8080";

/** @type {import("next").NextConfig} */
export default {
  rewrites: async () => [
    { source: "/api/sse", destination: `${hub}/api/sse` },
    { source: "/api/trpc/:path*", destination: `${hub}/api/trpc/:path*` },
  ],
  experimental: {
    // In milliseconds: how long the hub may be silent. 30 s is Next's default, and a heartbeat of
    // 30 s comes later than that.
    proxyTimeout: 120_000,
  },
};
