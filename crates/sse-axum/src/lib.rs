#![doc = include_str!("../README.md")]

#[cfg(feature = "access")]
mod authenticate;
#[cfg(feature = "browser")]
mod browser;
mod event_stream;
mod extract;
mod response;
mod serve;
#[cfg(feature = "trpc")]
mod trpc;

#[cfg(feature = "access")]
pub use authenticate::admit;
#[cfg(feature = "browser")]
pub use browser::{browser, files};
pub use event_stream::events;
pub use extract::SseHandshake;
pub use response::{Refusal, SseResponse};
pub use serve::{Serve, serve};
#[cfg(feature = "tls")]
pub use sse_hyper::rustls;
#[cfg(feature = "access")]
pub use sse_hyper::view;
pub use sse_hyper::{
    Fallback, Fallbacks, KeepBody, PeerAddr, ReactorStats, SocketOptions, TransportStats,
    TransportStatsHandle,
};
#[cfg(feature = "trpc")]
pub use trpc::trpc;
