//! How often streams may be opened, and the management API called.

use std::net::{IpAddr, Ipv4Addr};

use sse_core::{Caller, Cause, UserId};
use sse_trpc::{Demand, Kind};

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
        check(self.streams_per_address.as_ref(), &network(address), 1)
    }

    /// Whether a caller may open one more stream now.
    pub(crate) fn may_open(&self, caller: &Caller) -> Result<(), Cause> {
        caller.user.as_ref().map_or(Ok(()), |user| check(self.streams_per_user.as_ref(), user, 1))
    }

    /// Whether somebody may ask the management API for this now. Who is no user and has claims is a backend.
    pub(crate) fn may_ask(&self, demand: &Demand<'_>) -> Result<(), Cause> {
        // Without an address all share a limit, which is safe.
        let address = demand.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        if demand.kind == Some(Kind::Subscription) && demand.calls == 1 {
            self.may_knock(address)?;
            return demand.caller.map_or(Ok(()), |caller| self.may_open(caller));
        }
        match demand.caller {
            Ok(Caller { user: Some(user), .. }) => check(self.calls_per_user.as_ref(), user, demand.calls),
            Ok(caller) if !caller.claims.is_empty() => Ok(()),
            _ => check(self.calls_per_address.as_ref(), &network(address), demand.calls),
        }
    }
}

/// Who has one address of IPv6 has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

fn check<K: std::hash::Hash + Eq + Clone>(
    limit: Option<&RateLimit<K>>,
    who: &K,
    times: usize,
) -> Result<(), Cause> {
    match limit {
        Some(limit) if !limit.allows(who, times) => Err(Cause::RateLimit),
        _ => Ok(()),
    }
}
