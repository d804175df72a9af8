#![doc = include_str!("../README.md")]

#[cfg(feature = "access")]
mod authenticate;
mod body;
mod event_stream;
mod extract;
mod handoff;
mod response;
mod serve;
mod stats;
mod transport_stats;

#[cfg(feature = "access")]
pub use authenticate::{authenticate, request_view};
pub use body::SseBody;
pub use event_stream::{EventBody, event_stream};
pub use extract::{PeerAddr, handshake};
pub use handoff::KeepBody;
pub use handoff::fallback::{Fallback, Fallbacks};
pub use response::{rejection, response};
pub use serve::{Serve, serve};
pub use sse_reactor::ReactorStats;
pub use sse_socket::SocketOptions;
pub use stats::TransportStatsHandle;
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
pub use transport_stats::TransportStats;
