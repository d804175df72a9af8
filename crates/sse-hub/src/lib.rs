#![doc = include_str!("../README.md")]

mod app;
mod cli;
mod error;
mod file;
mod health;
mod later;
mod limits;
mod management_args;
mod metrics;
mod page;
mod redact;
mod requests;
mod run;
mod server;
mod settings;
mod signals;
mod source;
mod stream_args;
mod values;
mod visitor;

pub use run::run;
