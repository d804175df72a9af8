#![doc = include_str!("../README.md")]

mod request;
mod targets;

use crate::targets::{
    cluster, cookies, encode, envelope, handshake, hub, nats, redis, segments, session, token, trpc,
};

/// A function that takes any bytes and panics if a property does not hold.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the target, of its executable for `cargo fuzz`, and of its folder in the corpus.
    pub name: &'static str,
    /// Function that plays one input.
    pub play: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "cluster",
        play: cluster::play,
    },
    Target {
        name: "cookies",
        play: cookies::play,
    },
    Target {
        name: "encode",
        play: encode::play,
    },
    Target {
        name: "envelope",
        play: envelope::play,
    },
    Target {
        name: "handshake",
        play: handshake::play,
    },
    Target {
        name: "hub",
        play: hub::play,
    },
    Target {
        name: "nats",
        play: nats::play,
    },
    Target {
        name: "redis",
        play: redis::play,
    },
    Target {
        name: "segments",
        play: segments::play,
    },
    Target {
        name: "session",
        play: session::play,
    },
    Target {
        name: "token",
        play: token::play,
    },
    Target {
        name: "trpc",
        play: trpc::play,
    },
];

/// Plays an input of a target.
///
/// # Panics
///
/// If the target does not exist, or if a property does not hold: that is a finding.
pub fn play(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target {name}")).play)(input);
}
