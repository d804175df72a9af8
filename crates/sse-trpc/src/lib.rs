#![doc = include_str!("../README.md")]

mod call;
mod check;
mod code;
mod context;
mod error;
mod input;
mod limits;
mod management;
mod procedure;
mod procedures;
mod request;
mod response;

pub use code::Code;
pub use context::Context;
pub use error::Error;
pub use limits::Limits;
pub use management::Management;
pub use procedure::{Kind, Procedure};
pub use request::{Body, Request};
pub use response::Response;
