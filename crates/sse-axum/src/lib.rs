#![doc = include_str!("../README.md")]

mod events;
mod extract;
mod response;
mod serve;
#[cfg(feature = "trpc")]
mod trpc;

pub use events::events;
pub use extract::SseHandshake;
pub use response::{Refusal, SseResponse};
pub use serve::{Serve, serve};
pub use sse_hyper::SocketOptions;
#[cfg(feature = "tls")]
pub use sse_hyper::rustls;
#[cfg(feature = "trpc")]
pub use trpc::trpc;
