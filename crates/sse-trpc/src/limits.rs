//! How much a call may ask for.

use serde::{Deserialize, Serialize};

/// How much a call may ask for. How long names may be is said by [`sse_core::Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a request's inputs, in a body or in a query. Default 1 MiB.
    pub body: usize,
    /// Bytes of all request bodies in flight, a quarter of them reserved for managers. Raised to
    /// fit the other two. Default 64 MiB.
    pub bodies: usize,
    /// Bytes of the request bodies in flight of one user, or of one address without a user;
    /// managers are free. Raised to fit `body`. Default 4 MiB.
    pub bodies_per_caller: usize,
    /// Calls in a batch; 0 for no batches. Default 100.
    pub batch: usize,
    /// How deep objects and arrays of an input may nest, the input itself included. Default 64.
    pub depth: usize,
    /// Bytes of a notification's message. Default 16 KiB.
    pub message: usize,
    /// Bytes of a notification's title. Default 1 KiB.
    pub title: usize,
    /// Bytes of the reason for a disconnect. Default 1 KiB.
    pub reason: usize,
    /// Streams that a publish may leave out. Default 1,000.
    pub except: usize,
    /// Users that `getStats` counts streams of. Default 10,000.
    pub users: usize,
    /// Streams on one page of `getConnections`. Default 1,000.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            bodies: 64 << 20,
            bodies_per_caller: 4 << 20,
            batch: 100,
            depth: 64,
            message: 16 << 10,
            title: 1 << 10,
            reason: 1 << 10,
            except: 1000,
            users: 10_000,
            connections: 1000,
        }
    }
}
