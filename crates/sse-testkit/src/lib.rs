#![doc = include_str!("../README.md")]

#[cfg(feature = "adapter")]
pub mod adapter;
#[cfg(feature = "backplane")]
pub mod backplane;
mod body;
mod client;
mod dechunker;
mod decoder;
mod end;
mod error;
mod executable;
mod head;
mod proxy;
mod request;
mod response;
mod server;

pub use client::RawClient;
pub use dechunker::Dechunker;
pub use decoder::{Decoded, Decoder, Item};
pub use end::End;
pub use error::Error;
pub use executable::executable;
pub use head::{Head, Headers};
pub use proxy::Proxy;
pub use request::{HttpVersion, RawRequest};
pub use response::{Response, request};
pub use server::{Server, Signal};
