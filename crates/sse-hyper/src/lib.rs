#![doc = include_str!("../README.md")]

mod accept_errors;
#[cfg(feature = "access")]
mod admit;
mod arrival;
mod body;
mod connections;
mod events;
#[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "parts of it are for HTTP/2"))]
mod exchange;
mod fallback;
#[cfg(feature = "http2")]
mod flood;
mod handover;
mod handshake;
mod head;
mod http1;
#[cfg(feature = "http2")]
mod http2;
mod io;
mod log_limit;
mod mark;
mod protocol;
mod reception;
mod response;
mod rewound;
mod serve;
mod shutdown;
#[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "parts of it are for HTTP/2"))]
mod side;
mod streamless;
#[cfg(feature = "tls")]
mod tls;
mod transports;
#[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "parts of it are for HTTP/2"))]
mod watchdog;
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
