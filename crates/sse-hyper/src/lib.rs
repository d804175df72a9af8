#![doc = include_str!("../README.md")]

#[cfg(feature = "access")]
mod admit;
mod arrival;
mod body;
mod events;
mod fallback;
mod handover;
mod handshake;
mod head;
mod http1;
#[cfg(feature = "http2")]
mod http2;
mod io;
mod mark;
mod protocol;
mod reception;
mod response;
mod rewound;
mod serve;
mod shutdown;
mod side;
#[cfg(feature = "tls")]
mod tls;
mod transports;
mod watching;

#[cfg(feature = "access")]
pub use admit::{admit, view};
pub use body::SseBody;
pub use events::{EventBody, events};
pub use fallback::{Fallback, Fallbacks};
pub use handover::KeepBody;
pub use handshake::{PeerAddr, handshake};
pub use response::{refusal, response};
pub use serve::{Serve, serve};
pub use sse_reactor::ReactorStats;
pub use sse_socket::SocketOptions;
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
pub use transports::{TransportStats, Transports};
