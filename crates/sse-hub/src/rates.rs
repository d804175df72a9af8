//! How often streams may be opened, and the management API called.

use std::net::IpAddr;

use sse_core::{Caller, Cause, UserId};

use crate::{access_args::AccessArgs, rate::RateLimit};

/// How often streams may be opened, and the management API called. What is not limited is not counted.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    streams_per_address: Option<RateLimit<IpAddr>>,
    streams_per_user: Option<RateLimit<UserId>>,
    calls_per_user: Option<RateLimit<UserId>>,
    calls_per_address: Option<RateLimit<IpAddr>>,
}

impl Rates {
    pub(crate) fn new(args: &AccessArgs) -> Self {
        Self {
            streams_per_address: args.rate_streams_per_address.and_then(RateLimit::new),
            streams_per_user: args.rate_streams_per_user.and_then(RateLimit::new),
            calls_per_user: args.rate_calls.and_then(RateLimit::new),
            calls_per_address: args.rate_calls.and_then(RateLimit::new),
        }
    }

    /// Asked before anybody is recognised, so that guessing credentials is limited too.
    pub(crate) fn may_knock(&self, address: IpAddr) -> Result<(), Cause> {
        check(self.streams_per_address.as_ref(), &address)
    }

    /// Whether a caller may open one more stream now.
    pub(crate) fn may_open(&self, caller: &Caller) -> Result<(), Cause> {
        caller.user.as_ref().map_or(Ok(()), |user| check(self.streams_per_user.as_ref(), user))
    }

    /// Whether a caller may call once more now. Who is no user and has claims is a backend.
    pub(crate) fn may_call(&self, caller: Option<&Caller>, address: IpAddr) -> Result<(), Cause> {
        match caller {
            Some(Caller { user: Some(user), .. }) => check(self.calls_per_user.as_ref(), user),
            Some(caller) if !caller.claims.is_empty() => Ok(()),
            _ => check(self.calls_per_address.as_ref(), &address),
        }
    }
}

fn check<K: std::hash::Hash + Eq + Clone>(limit: Option<&RateLimit<K>>, who: &K) -> Result<(), Cause> {
    match limit {
        Some(limit) if !limit.allows(who) => Err(Cause::RateLimit),
        _ => Ok(()),
    }
}
