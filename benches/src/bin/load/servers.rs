//! The servers under test, and their start.

pub(crate) mod actix_adapter;
pub(crate) mod actix_native;
pub(crate) mod axum_adapter;
pub(crate) mod axum_native;
pub(crate) mod contender;
pub(crate) mod floor;
pub(crate) mod hyper_adapter;
pub(crate) mod hyper_native;
pub(crate) mod manager;
pub(crate) mod peer;
pub(crate) mod server;
pub(crate) mod serving;
pub(crate) mod stack;
pub(crate) mod threads;
pub(crate) mod transports;
