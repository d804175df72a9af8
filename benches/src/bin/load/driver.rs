//! The load: streams, publishes, and the measurements of both.

pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod events;
pub(crate) mod identity;
pub(crate) mod latency;
pub(crate) mod occurrences;
pub(crate) mod payload;
pub(crate) mod process;
pub(crate) mod publisher;
pub(crate) mod receiver;
pub(crate) mod response;
pub(crate) mod sample;
pub(crate) mod stall;
pub(crate) mod stream;
pub(crate) mod target;
pub(crate) mod tracker;
pub(crate) mod volume;
pub(crate) mod watch;
