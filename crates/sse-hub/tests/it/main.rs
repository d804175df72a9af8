//! The hub as a process of its own, seen from outside.

mod browser;
mod cdp;
mod config;
mod curl;
mod hub;
mod management;
mod routes;
mod shutdown;
mod start;
mod stream;
