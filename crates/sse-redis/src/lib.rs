#![doc = include_str!("../README.md")]

mod address;
mod appends;
mod backplane;
mod batch;
mod center;
mod commands;
mod config;
mod error;
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod id;
mod keys;
mod lane;
mod leases;
mod link;
mod look;
mod pace;
mod pages;
mod reply;
mod scripts;
mod sentinels;
mod server;
mod signals;
mod slot;
mod socket;
mod tail;
mod tls;
mod wire;
mod witness;

pub use backplane::RedisBackplane;
pub use config::{ClientCertificate, RedisConfig, Replicas};
