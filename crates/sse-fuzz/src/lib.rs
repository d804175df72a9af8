#![doc = include_str!("../README.md")]

mod request;
mod targets;

use crate::targets::{
    cluster, cookies, encode, envelope, handshake, hub, nats, redis, segments, session, token, trpc,
};

/// A function that takes any bytes and panics if a property does not hold.
#[derive(Debug, Clone, Copy)]
pub struct FuzzTarget {
    /// Name of the target, of its executable for `cargo fuzz`, and of its folder in the corpus.
    pub name: &'static str,
    /// Function that plays one input.
    pub play: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[FuzzTarget] = &[
    FuzzTarget {
        name: "cluster",
        play: cluster::play,
    },
    FuzzTarget {
        name: "cookies",
        play: cookies::play,
    },
    FuzzTarget {
        name: "encode",
        play: encode::play,
    },
    FuzzTarget {
        name: "envelope",
        play: envelope::play,
    },
    FuzzTarget {
        name: "handshake",
        play: handshake::play,
    },
    FuzzTarget {
        name: "hub",
        play: hub::play,
    },
    FuzzTarget {
        name: "nats",
        play: nats::play,
    },
    FuzzTarget {
        name: "redis",
        play: redis::play,
    },
    FuzzTarget {
        name: "segments",
        play: segments::play,
    },
    FuzzTarget {
        name: "session",
        play: session::play,
    },
    FuzzTarget {
        name: "token",
        play: token::play,
    },
    FuzzTarget {
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
