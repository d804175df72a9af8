#![doc = include_str!("../README.md")]

mod claims_access;
mod denial;
mod gate;
mod pattern;
mod proxies;

pub use claims_access::ClaimsAccess;
pub use denial::Denial;
pub use gate::{Gate, caller};
pub use pattern::{PatternError, TopicPattern};
pub use proxies::{Proxies, ProxyError, ProxyHeader};
