#![doc = include_str!("../README.md")]

mod announcer;
mod cluster;
mod cluster_state;
mod config;
mod connection;
mod connections;
mod disconnect;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hook_calls;
mod hooks;
mod lease;
mod listener;
mod membership;
mod messages;
mod node;
mod node_id;
mod pending_requests;
mod presence;
mod reach;
mod requests;
mod responder;
mod sharded_map;
mod stats;

pub use cluster::Cluster;
pub use config::ClusterConfig;
pub use connection::Located;
pub use connections::{
    ClusterConnection, ClusterCursor, ClusterCursorError, ClusterPage, ClusterQuery,
};
pub use disconnect::Disconnected;
pub use hooks::PresenceHooks;
pub use node_id::{NodeId, NodeIdError};
pub use reach::Reach;
pub use stats::{ClusterStats, NodeStats};
