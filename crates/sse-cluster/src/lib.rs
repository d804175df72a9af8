#![doc = include_str!("../README.md")]

mod answers;
mod cluster;
mod config;
mod connections;
mod crowd;
mod disconnect;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hooks;
mod lease;
mod listener;
mod node;
mod node_id;
mod questions;
mod reach;
mod sharded;
mod shared;
mod speaker;
mod state;
mod stats;
mod streams;
mod wire;

pub use cluster::Cluster;
pub use config::ClusterConfig;
pub use connections::{ClusterConnection, ClusterCursor, ClusterCursorError, ClusterPage, ClusterQuery};
pub use disconnect::Disconnected;
pub use hooks::PresenceHooks;
pub use node_id::{NodeId, NodeIdError};
pub use reach::Reach;
pub use stats::{ClusterStats, NodeStats};
pub use streams::Found;
