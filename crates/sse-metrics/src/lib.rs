#![doc = include_str!("../README.md")]

mod collector;
mod family;
mod format;
mod histogram;
mod manager;
mod metrics;
mod process;
mod source;
mod value;

pub use collector::Collector;
pub use family::{Family, Histogram};
pub use histogram::{DurationHistogram, UP_TO_SECONDS};
pub use metrics::{Metrics, Scrape};
pub use process::Process;
pub use source::Source;
pub use value::Number;
