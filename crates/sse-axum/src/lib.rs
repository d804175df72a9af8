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
#[cfg(feature = "trpc")]
pub use trpc::trpc;
