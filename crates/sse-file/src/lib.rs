#![doc = include_str!("../README.md")]

mod backplane;
mod config;
mod directory;
mod end;
mod error;
mod failure;
#[cfg(test)]
mod faults;
mod index;
mod key_files;
mod log;
mod medium;
mod meta;
mod page;
mod queue;
mod record;
mod recovery;
mod retention;
mod runs;
mod segment;
mod tail;
mod writer;

pub use backplane::FileBackplane;
pub use config::{FileConfig, SyncPolicy};
pub use error::{Damage, OpenError};
