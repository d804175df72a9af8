//! An independent event-stream decoder and a raw-socket client for judging SSE servers
