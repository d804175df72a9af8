//! One stream: its queue, its subscription and its end.

pub(crate) mod backlog;
pub(crate) mod catch_up;
pub(crate) mod end_waiters;
pub(crate) mod hooks;
#[cfg(all(test, loom))]
pub(crate) mod loom_tests;
pub(crate) mod overflow;
pub(crate) mod queue;
pub(crate) mod shared;
