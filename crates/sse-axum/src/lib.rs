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
pub use authenticate::authenticate;
#[cfg(feature = "browser")]
pub use browser::{browser, files};
pub use event_stream::event_stream;
pub use extract::SseHandshake;
pub use response::{Rejection, SseResponse};
pub use serve::{Serve, serve};
#[cfg(feature = "access")]
pub use sse_hyper::request_view;
#[cfg(feature = "tls")]
pub use sse_hyper::rustls;
pub use sse_hyper::{
    Fallback, Fallbacks, KeepBody, PeerAddr, ReactorStats, SocketOptions, TransportStats,
    TransportStatsHandle,
};
#[cfg(feature = "trpc")]
pub use trpc::trpc;
