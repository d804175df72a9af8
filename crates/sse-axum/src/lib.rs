#![doc = include_str!("../README.md")]

#[cfg(feature = "access")]
mod admit;
#[cfg(feature = "browser")]
mod browser;
mod events;
mod extract;
mod response;
mod serve;
#[cfg(feature = "trpc")]
mod trpc;

#[cfg(feature = "access")]
pub use admit::admit;
#[cfg(feature = "browser")]
pub use browser::{browser, files};
pub use events::events;
pub use extract::SseHandshake;
pub use response::{Refusal, SseResponse};
pub use serve::{Serve, serve};
#[cfg(feature = "tls")]
pub use sse_hyper::rustls;
#[cfg(feature = "access")]
pub use sse_hyper::view;
pub use sse_hyper::{
    Fallback, Fallbacks, KeepBody, PeerAddr, ReactorStats, SocketOptions, TransportStats, Transports,
};
#[cfg(feature = "trpc")]
pub use trpc::trpc;
