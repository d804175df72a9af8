#![doc = include_str!("../README.md")]

mod address;
mod api;
mod append;
mod backplane;
mod config;
mod consumer;
mod entry;
mod epochs;
mod error;
mod found;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod leases;
mod link;
mod names;
mod read;
mod replies;
mod settings;
mod shared;
mod signals;
mod tail;

pub use backplane::NatsBackplane;
pub use config::{NatsConfig, Storage};
