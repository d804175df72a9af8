//! What a request asks for, before any of it is done.

use std::net::IpAddr;

use sse_core::{Caller, ConnectErrorKind};

use crate::procedure::Kind;

/// What a request asks for, before any of it is done: for limits on how often somebody may ask.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CallInfo<'a> {
    /// Who asks, `connectionParams` included, or why it is refused.
    pub caller: Result<&'a Caller, &'a ConnectErrorKind>,
    /// Where the client is.
    pub address: Option<IpAddr>,
    /// How many calls it makes: those of a batch are many.
    pub calls: usize,
    /// What kind they are; `None` where no procedure of that name is there.
    pub kind: Option<Kind>,
}
