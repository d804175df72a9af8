#![doc = include_str!("../README.md")]

mod adoption;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod canary;
mod connection;
mod deadlines;
mod key;
mod mailbox;
mod outgoing;
mod reactor;
mod socket;
mod stats;
mod table;
mod waker;
mod worker;
mod writer;

pub use adoption::{Adoption, Framing};
pub use reactor::{Builder, Reactor};
pub use stats::ReactorStats;
