#![doc = include_str!("../README.md")]

mod body;
mod connection;
mod events;
mod handshake;
mod io;
mod mark;
mod response;
mod serve;
mod shutdown;
mod side;

pub use body::SseBody;
pub use events::{EventBody, events};
pub use handshake::{PeerAddr, handshake};
pub use response::{refusal, response};
pub use serve::{Serve, serve};
pub use sse_socket::SocketOptions;
