//! Timeouts of connections.

use std::time::Duration;

use clap::Args;

use crate::{
    error::Error,
    settings::{
        config_file::Fields,
        source::Sources,
        values::{Milliseconds, duration},
    },
};

const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Timeouts of connections, as flags and variables.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectionArgs {
    /// Timeout for a request head, including the TLS handshake before the first one [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_HEADER_TIMEOUT")]
    header_timeout: Option<Duration>,
    /// Timeout for the next request on an idle connection; must be longer than the idle timeout of
    /// a proxy in front [default: 75s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_KEEP_ALIVE_TIMEOUT")]
    keep_alive_timeout: Option<Duration>,
}

/// Timeouts of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionTimeouts {
    pub(crate) header: Duration,
    pub(crate) keep_alive: Duration,
}

impl ConnectionArgs {
    /// Merges the flags with the file and the defaults.
    pub(crate) fn timeouts(
        self,
        file: &Fields,
        sources: &Sources,
    ) -> Result<ConnectionTimeouts, Error> {
        let of_file = |time: Option<Milliseconds>| time.map(|Milliseconds(time)| time);
        let header = self
            .header_timeout
            .or(of_file(file.header_timeout))
            .unwrap_or(DEFAULT_HEADER_TIMEOUT);
        let keep_alive = self
            .keep_alive_timeout
            .or(of_file(file.keep_alive_timeout))
            .unwrap_or(DEFAULT_KEEP_ALIVE_TIMEOUT);
        for (flag, time) in [
            ("header-timeout", header),
            ("keep-alive-timeout", keep_alive),
        ] {
            if !(SHORTEST..=LONGEST).contains(&time) {
                let problem = "must be between 100ms and 24h".to_owned();
                return Err(Error::Setting {
                    name: sources.name(flag),
                    problem,
                });
            }
        }
        Ok(ConnectionTimeouts { header, keep_alive })
    }
}
