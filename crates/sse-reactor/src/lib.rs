#![doc = include_str!("../README.md")]

mod adoption;
mod canary;
mod connection;
mod deadlines;
mod key;
mod mailbox;
mod outgoing;
mod reactor;
mod stats;
mod table;
mod waker;
mod worker;
mod writer;

pub use adoption::{Adoption, Framing};
pub use reactor::{Builder, Reactor};
pub use stats::ReactorStats;
