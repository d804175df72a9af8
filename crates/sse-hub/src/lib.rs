#![doc = include_str!("../README.md")]

mod app;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod server;
mod settings;

pub use server::run::run;
