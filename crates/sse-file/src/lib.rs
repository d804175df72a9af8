#![doc = include_str!("../README.md")]

mod append_queue;
mod backplane;
mod batch_error;
mod config;
mod directory;
mod end;
mod error;
#[cfg(test)]
mod fault_tests;
mod index;
mod key_files;
mod log;
mod metadata;
mod page_builder;
mod record;
mod recovery;
mod retention;
mod runs;
mod segment;
mod segment_header;
mod storage;
mod tail;
mod writer;

pub use backplane::FileBackplane;
pub use config::{FileConfig, SyncPolicy};
pub use error::{Damage, OpenError};
