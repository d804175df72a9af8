#![doc = include_str!("../README.md")]

#[cfg(feature = "access")]
mod authenticate;
mod body;
#[cfg(feature = "browser")]
mod browser;
mod event_stream;
mod extract;
mod on_connect;
mod response;
mod serve;
mod shutdown_signal;
#[cfg(feature = "trpc")]
mod trpc;

#[cfg(feature = "access")]
pub use authenticate::{authenticate, request_view};
#[cfg(feature = "browser")]
pub use browser::{browser, files};
pub use event_stream::{SseEvents, event_stream};
pub use extract::SseHandshake;
pub use on_connect::prepare;
pub use response::{Rejection, SseResponse};
pub use serve::{Serve, serve};
pub use sse_socket::SocketOptions;
#[cfg(feature = "trpc")]
pub use trpc::trpc;
