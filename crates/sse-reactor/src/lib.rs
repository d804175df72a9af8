#![doc = include_str!("../README.md")]

mod adoption;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench_support;
mod connection;
mod deadlines;
mod end;
mod key;
mod mailbox;
mod reactor;
mod runtime_guard;
mod slab;
mod socket;
mod stats;
mod waker;
mod worker;
mod write_buffer;
mod writer;

pub use adoption::{Adoption, Framing};
pub use reactor::{Builder, Reactor};
pub use stats::ReactorStats;
