//! The management API of an SSE manager on the tRPC wire, framework-neutral
