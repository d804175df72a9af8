//! Rate limits of streams, of calls of the management API, and of published bytes.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use sse_access::ClaimsAccess;
use sse_core::{Caller, ConnectErrorKind, UserId, access::Access as _, id::network};
use sse_trpc::{CallInfo, ProcedureKind};

use crate::{
    app::rate_limit::{Rate, RateLimit},
    settings::access_args::AccessArgs,
};

/// Streams that one user can open in a minute: 50 streams that reconnect four times.
const STREAMS_PER_USER: u32 = 200;

/// Calls of one user in a minute.
const CALLS_PER_USER: u32 = 1200;

/// Calls in a minute of callers without a user at one address. Many such callers can share one
/// address, and their tokens can have expired.
const CALLS_PER_ADDRESS: u32 = 6000;

/// Bytes of calls of one user in a minute. If a quarter of this is less than the maximum size of a
/// call, the limit is four times that size instead.
const BYTES_PER_USER: usize = 4 << 20;

/// Rate limits of streams, of calls of the management API, and of published bytes. Anything without
/// a limit is not counted.
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
    /// Creates the limits. `largest` is the maximum size of a call in bytes.
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

    /// Takes one stream from the allowance of an address. The check comes before authentication, so
    /// that it also limits attempts to guess credentials.
    pub(crate) fn check_rate(&self, address: IpAddr) -> Result<(), ConnectErrorKind> {
        check(self.streams_per_address.as_ref(), &network(address), 1)
    }

    /// Takes one stream from the allowance of a caller's user.
    pub(crate) fn may_open(&self, caller: &Caller) -> Result<(), ConnectErrorKind> {
        caller.user.as_ref().map_or(Ok(()), |user| {
            check(self.streams_per_user.as_ref(), user, 1)
        })
    }

    /// Takes calls of the management API from the allowance of their caller. Backends and admins
    /// have no limit. A subscription that is called alone counts as a new stream instead, for
    /// backends and admins as well.
    pub(crate) fn may_ask(&self, demand: &CallInfo<'_>) -> Result<(), ConnectErrorKind> {
        // All requests without an address share a limit, which is safe.
        let address = demand.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        if demand.kind == Some(ProcedureKind::Subscription) && demand.calls == 1 {
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

    /// Takes bytes from the allowance of a caller. Returns the time that the caller must wait as an
    /// error. Backends and admins have no limit.
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
