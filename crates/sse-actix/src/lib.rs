#![doc = include_str!("../README.md")]

#[cfg(feature = "access")]
mod admit;
mod body;
#[cfg(feature = "browser")]
mod browser;
mod connection;
mod events;
mod extract;
mod response;
mod serve;
mod stop;
#[cfg(feature = "trpc")]
mod trpc;

#[cfg(feature = "access")]
pub use admit::{admit, view};
#[cfg(feature = "browser")]
pub use browser::{browser, files};
pub use connection::prepare;
pub use events::{SseEvents, events};
pub use extract::SseHandshake;
pub use response::{Refusal, SseResponse};
pub use serve::{Serve, serve};
pub use sse_socket::SocketOptions;
#[cfg(feature = "trpc")]
pub use trpc::trpc;
