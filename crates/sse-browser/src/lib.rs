#![doc = include_str!("../README.md")]

mod client_files;
mod response;
mod static_files;

pub use client_files::CLIENT;
pub use response::{FileRequest, StaticResponse};
pub use static_files::{File, StaticFiles};
