//! Default shares of all streams for one user and one address.

use sse_core::Config;

/// Streams of one user, unless half of all streams are fewer.
const PER_USER: usize = 50;

/// The audience of the hub, as far as the shares depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HubAudience {
    /// Visitors name themselves, and are on this machine.
    ThisMachine,
    /// Visitors name themselves, and can be anywhere.
    Everybody,
    /// Callers are authenticated.
    Known,
}

/// Fills in the limits that are not set, so that no user and no address of strangers has more than
/// half of all streams.
///
/// Users share addresses with others, so the limit of an address counts only callers without a
/// user.
pub(crate) fn fill_in(streams: &mut Config, audience: HubAudience) {
    let half = (streams.max_connections / 2).max(1);
    match audience {
        HubAudience::ThisMachine => {}
        HubAudience::Everybody => {
            streams.max_connections_per_address.get_or_insert(half);
        }
        HubAudience::Known => {
            streams
                .max_connections_per_user
                .get_or_insert(half.min(PER_USER));
            streams
                .max_anonymous_connections_per_address
                .get_or_insert(half);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_shares_are_at_most_half() {
        for (all, user, address) in [
            (1000, 50, 500),
            (100_000, 50, 50_000),
            (60, 30, 30),
            (1, 1, 1),
        ] {
            let mut streams = Config::default();
            streams.max_connections = all;
            let mut known = streams.clone();
            fill_in(&mut known, HubAudience::Known);
            assert_eq!(known.max_connections_per_user, Some(user));
            assert_eq!(known.max_anonymous_connections_per_address, Some(address));
            assert_eq!(known.max_connections_per_address, None);
            let mut everybody = streams.clone();
            fill_in(&mut everybody, HubAudience::Everybody);
            assert_eq!(everybody.max_connections_per_address, Some(address));
            assert_eq!(everybody.max_connections_per_user, None);
            let mut here = streams.clone();
            fill_in(&mut here, HubAudience::ThisMachine);
            assert_eq!(here, streams);
        }
        let mut streams = Config::default();
        streams.max_connections_per_user = Some(700);
        fill_in(&mut streams, HubAudience::Known);
        assert_eq!(streams.max_connections_per_user, Some(700));
    }
}
