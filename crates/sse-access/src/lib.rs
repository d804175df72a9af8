#![doc = include_str!("../README.md")]

mod authentication;
mod claims_access;
mod denial;
mod topic_pattern;
mod trusted_proxies;

pub use authentication::{Authentication, caller};
pub use claims_access::ClaimsAccess;
pub use denial::Denial;
pub use topic_pattern::{PatternError, TopicPattern};
pub use trusted_proxies::{ProxyError, ProxyHeader, TrustedProxies};
