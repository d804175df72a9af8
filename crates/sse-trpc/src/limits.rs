//! Limits of calls.

use serde::{Deserialize, Serialize};

/// Limits of calls. [`sse_core::config::Limits`] bounds the length of names.
///
/// A call fails with `PAYLOAD_TOO_LARGE` beyond `body`, with `SERVICE_UNAVAILABLE` beyond `bodies`,
/// with `TOO_MANY_REQUESTS` beyond `bodies_per_caller`, and with `BAD_REQUEST` beyond any other
/// limit.
///
/// ```
/// use sse_core::Manager;
/// use sse_trpc::{CallLimits, Management};
///
/// let mut limits = CallLimits::default();
/// limits.body = 64 << 10;
/// limits.batch = 10;
/// let management = Management::new(Manager::builder().build()?).limits(limits);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CallLimits {
    /// Maximum number of bytes of a request's inputs, in a body or in a query. Default 1 MiB.
    pub body: usize,
    /// Maximum number of bytes of all request bodies in flight, a quarter of them reserved for
    /// managers. Raised to fit `body` and `bodies_per_caller`. Default 64 MiB.
    pub bodies: usize,
    /// Maximum number of bytes of the request bodies in flight of one user or, without a user, of
    /// one address (one /64 of IPv6). Managers are exempt. Raised to fit `body`. Default 4 MiB.
    pub bodies_per_caller: usize,
    /// Maximum number of calls in a batch; 0 disables batches. Default 100.
    pub batch: usize,
    /// Maximum depth of nested objects and arrays in an input, the input itself included. Default
    /// 64.
    pub depth: usize,
    /// Maximum number of bytes of a notification's message. Default 16 KiB.
    pub message: usize,
    /// Maximum number of bytes of a notification's title. Default 1 KiB.
    pub title: usize,
    /// Maximum number of bytes of the reason for a disconnect. Default 1 KiB.
    pub reason: usize,
    /// Maximum number of streams that a publish can exclude. Default 1,000.
    pub except: usize,
    /// Maximum number of users whose streams `getStats` counts. Default 10,000.
    pub users: usize,
    /// Maximum number of streams on one page of `getConnections`. Default 1,000.
    pub connections: usize,
}

impl Default for CallLimits {
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
