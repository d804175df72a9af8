#![doc = include_str!("../README.md")]

mod appends;
mod backplane;
mod batch;
mod center;
mod config;
mod error;
mod gate;
mod id;
mod keys;
mod leases;
mod link;
mod look;
mod pace;
mod pages;
mod reply;
mod scripts;
mod server;
mod signals;
mod slot;
mod tail;
mod witness;

pub use backplane::RedisBackplane;
pub use config::{RedisConfig, Replicas};
