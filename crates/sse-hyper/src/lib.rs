#![doc = include_str!("../README.md")]

#[cfg(feature = "access")]
mod admit;
mod arrival;
mod body;
mod events;
mod handshake;
mod http1;
#[cfg(feature = "http2")]
mod http2;
mod io;
mod mark;
mod protocol;
mod response;
mod rewound;
mod serve;
mod shutdown;
mod side;
#[cfg(feature = "tls")]
mod tls;
mod watching;

#[cfg(feature = "access")]
pub use admit::{admit, view};
pub use body::SseBody;
pub use events::{EventBody, events};
pub use handshake::{PeerAddr, handshake};
pub use response::{refusal, response};
pub use serve::{Serve, serve};
pub use sse_socket::SocketOptions;
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
