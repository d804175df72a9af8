#![doc = include_str!("../README.md")]

mod access_args;
mod app;
mod auth_log;
mod backplane;
mod broker_tls;
mod cli;
mod configured;
mod connection_args;
mod cors;
mod error;
mod file;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod health;
mod hosts;
mod key_file;
mod limits;
mod log_args;
mod logs;
mod management_args;
mod metrics;
mod output;
mod page;
mod rate;
mod rates;
mod reload;
mod requests;
mod run;
mod secrets;
mod server;
mod service_link;
mod settings;
mod shares;
mod signals;
mod source;
mod stream_args;
mod tls;
mod values;
mod visitor;

pub use run::run;
