//! The description of a request for rate limits.

use std::net::IpAddr;

use sse_core::{Caller, ConnectErrorKind};

use crate::procedure::ProcedureKind;

/// A description of a request that has not been executed yet, for limits on how often a caller may
/// make calls.
///
/// ```
/// use sse_core::{ConnectErrorKind, Manager};
/// use sse_trpc::{CallInfo, Management};
///
/// let manager = Manager::builder().build()?;
/// let management = Management::new(manager).limit(|request: &CallInfo<'_>| {
///     if request.calls > 10 {
///         return Err(ConnectErrorKind::RateLimit);
///     }
///     Ok(())
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CallInfo<'a> {
    /// The caller, `connectionParams` included, or the reason for which authentication refused it.
    pub caller: Result<&'a Caller, &'a ConnectErrorKind>,
    /// Address of the client.
    pub address: Option<IpAddr>,
    /// Number of calls in the request, which is greater than 1 for a batch.
    pub calls: usize,
    /// Kind of the first procedure; `None` if that procedure does not exist.
    pub kind: Option<ProcedureKind>,
}
