//! Limits on how often streams may be opened, how often the management API may be called, and how
//! much may be published.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use sse_access::ClaimsAccess;
use sse_core::{Access as _, Caller, ConnectErrorKind, UserId, network};
use sse_trpc::{CallInfo, Kind};

use crate::{
    app::rate_limit::{Rate, RateLimit},
    settings::access_args::AccessArgs,
};

/// Streams that one user opens in a minute: 50 streams that return four times.
const STREAMS_PER_USER: u32 = 200;

/// Calls of one user in a minute.
const CALLS_PER_USER: u32 = 1200;

/// Calls in a minute of those at one address that are no users. They can be many behind one
/// address, and their tokens may have expired.
const CALLS_PER_ADDRESS: u32 = 6000;

/// Bytes of calls of one user in a minute, unless one call may have more than a quarter of it.
const BYTES_PER_USER: usize = 4 << 20;

/// Limits on how often streams may be opened, how often the management API may be called, and how
/// much may be published. What has no limit is not counted.
#[derive(Debug)]
pub(crate) struct Rates {
    access: ClaimsAccess,
    streams_per_address: Option<RateLimit<IpAddr>>,
    streams_per_user: Option<RateLimit<UserId>>,
    calls_per_user: Option<RateLimit<UserId>>,
    calls_per_address: Option<RateLimit<IpAddr>>,
    bytes_per_user: Option<RateLimit<UserId>>,
}

impl Rates {
    /// `largest` is the maximum size of a call in bytes.
    pub(crate) fn new(args: &AccessArgs, access: ClaimsAccess, largest: usize) -> Self {
        let bytes =
            u32::try_from(BYTES_PER_USER.max(largest.saturating_mul(4))).unwrap_or(u32::MAX);
        let or =
            |rate: Option<Rate>, per_minute| rate.unwrap_or_else(|| Rate::per_minute(per_minute));
        Self {
            access,
            streams_per_address: args.rate_streams_per_address.and_then(RateLimit::new),
            streams_per_user: RateLimit::new(or(args.rate_streams_per_user, STREAMS_PER_USER)),
            calls_per_user: RateLimit::new(or(args.rate_calls, CALLS_PER_USER)),
            calls_per_address: RateLimit::new(or(args.rate_calls, CALLS_PER_ADDRESS)),
            bytes_per_user: RateLimit::new(or(args.rate_bytes_per_user, bytes)),
        }
    }

    /// Asked before anybody is recognised, so that guessing credentials is limited too.
    pub(crate) fn check_rate(&self, address: IpAddr) -> Result<(), ConnectErrorKind> {
        check(self.streams_per_address.as_ref(), &network(address), 1)
    }

    /// Whether a caller may open one more stream now.
    pub(crate) fn may_open(&self, caller: &Caller) -> Result<(), ConnectErrorKind> {
        caller.user.as_ref().map_or(Ok(()), |user| {
            check(self.streams_per_user.as_ref(), user, 1)
        })
    }

    /// Whether somebody may ask the management API for this now. Backends and admins may always.
    pub(crate) fn may_ask(&self, demand: &CallInfo<'_>) -> Result<(), ConnectErrorKind> {
        // Without an address all share a limit, which is safe.
        let address = demand.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        if demand.kind == Some(Kind::Subscription) && demand.calls == 1 {
            self.check_rate(address)?;
            return demand.caller.map_or(Ok(()), |caller| self.may_open(caller));
        }
        match demand.caller {
            Ok(caller) if self.access.may_manage(caller) => Ok(()),
            Ok(Caller {
                user: Some(user), ..
            }) => check(self.calls_per_user.as_ref(), user, demand.calls),
            _ => check(
                self.calls_per_address.as_ref(),
                &network(address),
                demand.calls,
            ),
        }
    }

    /// Whether a caller may send so many bytes now; an error is how long it has to wait. Backends
    /// and admins may always.
    pub(crate) fn may_send(&self, caller: &Caller, bytes: usize) -> Result<(), Duration> {
        match (&self.bytes_per_user, &caller.user) {
            (Some(limit), Some(user)) if !self.access.may_manage(caller) => {
                limit.check(user, bytes)
            }
            _ => Ok(()),
        }
    }
}

fn check<K: Hash + Eq + Clone>(
    limit: Option<&RateLimit<K>>,
    who: &K,
    times: usize,
) -> Result<(), ConnectErrorKind> {
    limit.map_or(Ok(()), |limit| {
        limit
            .check(who, times)
            .map_err(|_| ConnectErrorKind::RateLimit)
    })
}
