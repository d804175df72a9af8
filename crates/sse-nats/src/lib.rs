#![doc = include_str!("../README.md")]

mod address;
mod append;
mod backplane;
mod config;
mod connection;
mod consumer;
mod epochs;
mod error;
mod fingerprint;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod jetstream;
mod leases;
mod log_info;
mod names;
mod read;
mod request_reply;
mod shared;
mod signals;
mod stream_config;
mod tail;

pub use backplane::NatsBackplane;
pub use config::{NatsConfig, Storage};
