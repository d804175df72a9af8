#![doc = include_str!("../README.md")]

mod durations;
mod families;
mod family;
mod format;
mod manager;
mod metrics;
mod number;
mod process;
mod source;

pub use durations::{Durations, UP_TO_SECONDS};
pub use families::Families;
pub use family::{Family, Histogram};
pub use metrics::{Metrics, Scrape};
pub use number::Number;
pub use process::Process;
pub use source::Source;
