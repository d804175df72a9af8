//! Open files: each connection needs one file, and the hub needs files for everything else.

use std::thread::available_parallelism;

use sse_core::{Config, config::LimitPolicy};

/// Files for everything but streams: the reserve, and connections without a stream.
const OTHER_FILES: u64 = 256;

/// Minimum number of connections without a stream.
const STREAMLESS: u64 = 64;

/// Minimum size of the reserve, which covers listener, timers, standard streams, the event log, and
/// connections to a broker.
const RESERVE: u64 = 64;

/// Maximum size by which the reserve grows if the limit of open files is high.
const MORE_RESERVE: u64 = 448;

/// Returns the number of files that the hub needs at once with these settings.
pub(crate) fn files_for(streams: &Config) -> u64 {
    let most = u64::try_from(streams.max_connections).unwrap_or(u64::MAX);
    // If newcomers replace streams, as many streams again can be closing.
    let replacing = u64::from(streams.when_full == LimitPolicy::ReplaceOldest) + 1;
    most.saturating_mul(replacing).saturating_add(OTHER_FILES)
}

/// Returns the maximum number of connections for a limit of open files, where `None` is no limit.
/// The remaining files are reserved for the event log, for brokers and for the reactor. Thus no
/// number of connections keeps the hub from writing or reading a log.
pub(crate) fn connections_for(files: Option<u64>, streams: &Config) -> usize {
    let threads = available_parallelism().map_or(1, |threads| threads.get() as u64);
    let Some(files) = files else {
        return usize::MAX;
    };
    usize::try_from(files.saturating_sub(reserve(files, files_for(streams), threads)))
        .unwrap_or(usize::MAX)
}

fn reserve(files: u64, needed: u64, threads: u64) -> u64 {
    // Each thread of the reactor has two files.
    let least = (RESERVE + 2 * threads).min(OTHER_FILES - STREAMLESS);
    least + (files.saturating_sub(needed) / 8).min(MORE_RESERVE)
}

/// Raises the soft limit of open files to the hard limit. Returns the resulting limit, or `None` if
/// there is no limit.
///
/// # Errors
///
/// Returns the reason why the limit stays below `needed`.
#[cfg(unix)]
pub(crate) fn raise(needed: u64) -> Result<Option<u64>, String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let before = getrlimit(Resource::Nofile);
    let maximum = before.maximum;
    // Even without a hard limit, the system has an internal limit that it does not report.
    if setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
    .is_err()
        && before.current.is_some_and(|soft| soft < needed)
    {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(needed),
                maximum,
            },
        )
        .map_err(|error| {
            format!("{needed} open files are needed, and the limit cannot be raised: {error}")
        })?;
    }
    let limit = getrlimit(Resource::Nofile).current;
    match limit {
        Some(limit) if limit < needed => Err(format!(
            "{needed} open files are needed, more than the hard limit of {limit}; raise the limit \
             (ulimit -Hn, LimitNOFILE=, --ulimit nofile), or allow fewer streams with --max-connections"
        )),
        limit => Ok(limit),
    }
}

/// Does nothing, since other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn raise(_needed: u64) -> Result<Option<u64>, String> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserve_leaves_room_for_connections() {
        for streams in [1, 1000, 50_000] {
            let mut config = Config::default();
            config.max_connections = streams;
            let needed = files_for(&config);
            for files in [needed, needed + 1, needed + 1000, needed * 20] {
                let connections = connections_for(Some(files), &config) as u64;
                assert!(
                    connections >= streams as u64 + STREAMLESS,
                    "{files} for {streams}: {connections}"
                );
                assert!(
                    files - connections >= RESERVE,
                    "{files} for {streams}: {connections}"
                );
            }
            assert_eq!(connections_for(None, &config), usize::MAX);
        }
        for threads in [1, 64, 1000] {
            assert!((RESERVE..=OTHER_FILES - STREAMLESS).contains(&reserve(1256, 1256, threads)));
            assert!(reserve(1 << 20, 1256, threads) > reserve(1256, 1256, threads));
        }
    }

    #[test]
    fn replaced_streams_need_files() {
        let mut streams = Config::default();
        streams.max_connections = 5000;
        assert_eq!(files_for(&streams), 5256);
        streams.when_full = LimitPolicy::ReplaceOldest;
        assert_eq!(files_for(&streams), 10_256);
        streams.max_connections = usize::MAX;
        assert_eq!(files_for(&streams), u64::MAX);
    }
}
