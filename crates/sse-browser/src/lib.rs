#![doc = include_str!("../README.md")]

mod answer;
mod client;
mod files;

pub use answer::{Answer, Request};
pub use client::CLIENT;
pub use files::{File, Files};
