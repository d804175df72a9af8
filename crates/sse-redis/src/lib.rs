#![doc = include_str!("../README.md")]

mod append;
mod backplane;
mod config;
mod connection;
mod entry_id;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod high_water_marks;
mod keys;
mod leases;
mod log_info;
mod page_size;
mod read;
mod reply;
mod scripts;
mod shared;
mod signals;
mod tail;

pub use backplane::RedisBackplane;
pub use config::{ClientCertificate, RedisConfig, Replicas};
