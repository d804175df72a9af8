//! Open files: every stream needs one.

use sse_core::{Config, LimitPolicy};

/// Files beside the streams: listener, timers, logs, connections that ask for something else or are being refused.
const BESIDE_STREAMS: u64 = 256;

/// How many files the hub needs open at once with these settings.
pub(crate) fn files_for(streams: &Config) -> u64 {
    let most = u64::try_from(streams.max_connections).unwrap_or(u64::MAX);
    // Where newcomers replace others, as many may be ending.
    let replacing = u64::from(streams.when_full == LimitPolicy::ReplaceOldest) + 1;
    most.saturating_mul(replacing).saturating_add(BESIDE_STREAMS)
}

/// What to do about a soft and a hard limit of open files; `None` is no limit.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Enough,
    Raise,
    Impossible { hard: u64 },
}

fn plan(needed: u64, soft: Option<u64>, hard: Option<u64>) -> Plan {
    match (soft, hard) {
        (None, _) => Plan::Enough,
        (Some(soft), _) if soft >= needed => Plan::Enough,
        (_, Some(hard)) if hard < needed => Plan::Impossible { hard },
        _ => Plan::Raise,
    }
}

/// Raises the soft limit of open files to what is needed; says why if that cannot be.
#[cfg(unix)]
pub(crate) fn make_room(needed: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    match plan(needed, limit.current, limit.maximum) {
        Plan::Enough => Ok(()),
        Plan::Raise => setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })
            .map_err(|error| {
                format!("{needed} open files are needed, and the limit cannot be raised: {error}")
            }),
        Plan::Impossible { hard } => Err(format!(
            "{needed} open files are needed, more than the hard limit of {hard}; raise that \
             (ulimit -Hn, LimitNOFILE=, --ulimit nofile), or allow fewer streams with --max-connections"
        )),
    }
}

/// Elsewhere there is no such limit to raise.
#[cfg(not(unix))]
pub(crate) fn make_room(_needed: u64) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_only_where_it_must_and_can_be() {
        assert_eq!(plan(1000, Some(1024), Some(4096)), Plan::Enough);
        assert_eq!(plan(1024, Some(1024), Some(1024)), Plan::Enough);
        assert_eq!(plan(2000, Some(1024), Some(4096)), Plan::Raise);
        assert_eq!(plan(2000, Some(1024), None), Plan::Raise);
        assert_eq!(plan(4097, Some(1024), Some(4096)), Plan::Impossible { hard: 4096 });
        assert_eq!(plan(u64::MAX, None, None), Plan::Enough);
    }

    #[test]
    fn streams_that_are_being_replaced_need_files_too() {
        let mut streams = Config::default();
        streams.max_connections = 5000;
        assert_eq!(files_for(&streams), 5256);
        streams.when_full = LimitPolicy::ReplaceOldest;
        assert_eq!(files_for(&streams), 10_256);
        streams.max_connections = usize::MAX;
        assert_eq!(files_for(&streams), u64::MAX);
    }
}
