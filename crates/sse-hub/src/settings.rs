//! All settings, merged. The order of precedence is flag, variable, file, default.

pub(crate) mod access_args;
pub(crate) mod cli;
pub(crate) mod config_file;
pub(crate) mod connection_args;
pub(crate) mod key_file;
pub(crate) mod log_args;
pub(crate) mod management_args;
pub(crate) mod secrets;
pub(crate) mod service_link;
pub(crate) mod source;
pub(crate) mod stream_args;
pub(crate) mod values;

use std::{env, ffi::OsString, net::SocketAddr, time::Duration};

use clap::FromArgMatches;
use sse_auth::Origins;
use sse_core::{BuildError, Config};
use sse_trpc::{CallLimits, Transformer};

use crate::{
    app::{
        hosts::Hosts,
        secured::Secured,
        shares::{self, HubAudience},
    },
    error::Error,
    server::{
        backplane::BackplaneSettings,
        tls::{self, ReloadableTls},
    },
    settings::{
        cli::Cli,
        config_file::{ConfigFile, Fields},
        connection_args::ConnectionTimeouts,
        source::Sources,
        values::Seconds,
    },
};

/// All settings of the hub.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) drain: Duration,
    /// Time between the announcement of a shutdown and the drain.
    pub(crate) drain_delay: Duration,
    pub(crate) reactor: bool,
    pub(crate) log: String,
    pub(crate) connections: ConnectionTimeouts,
    pub(crate) streams: Config,
    /// Backplane that logs events; `None` if events are not logged.
    pub(crate) backplane: Option<BackplaneSettings>,
    pub(crate) management: CallLimits,
    pub(crate) transformer: Transformer,
    /// Access control; `None` in demo mode.
    pub(crate) configured: Option<Secured>,
    /// Sites whose pages may use the hub in demo mode.
    pub(crate) origins: Origins,
    pub(crate) hosts: Hosts,
    pub(crate) tls: Option<ReloadableTls>,
    pub(crate) sources: Sources,
}

const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_DRAIN: Duration = Duration::from_secs(10);
/// Kubernetes and load balancers remove their endpoints and targets within seconds.
const DEFAULT_DRAIN_DELAY: Duration = Duration::from_secs(5);
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 60 * 60);

impl Settings {
    /// Gathers the settings from a command line, from the variables of this process, and from the
    /// settings file that either of them names.
    pub(crate) fn gather(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let matches = Cli::matches(arguments)?;
        let mut cli = Cli::from_arg_matches(&matches)
            .map_err(|error| Error::CommandLine { error, hint: None })?;
        refuse_unknown_variables()?;
        let file = cli.config.take().map(ConfigFile::read).transpose()?;
        let fields = file
            .as_ref()
            .map_or_else(|| Ok(Fields::default()), ConfigFile::fields)?;
        let sources = Sources::new(&matches, file.as_ref().map(ConfigFile::parts));
        if let Some((path, _)) = file.as_ref().map(ConfigFile::parts) {
            key_file::note_writable(path, &sources);
        }
        Self::merge(cli, fields, sources)
    }

    fn merge(cli: Cli, mut file: Fields, sources: Sources) -> Result<Self, Error> {
        let mut streams = std::mem::take(&mut file.streams);
        cli.streams.apply(&mut streams);
        let backplane = cli.event_log.apply(&mut file, &mut streams, &sources)?;
        let mut management = file.management;
        let transformer = cli
            .management
            .trpc_transformer
            .or(file.trpc_transformer)
            .unwrap_or_default();
        cli.management.apply(&mut management);
        check_bodies(&management, &sources)?;
        let access = cli.access.or(std::mem::take(&mut file.access));
        let mut configured = access.configure(management.body, &sources)?;
        let tls = tls::config(
            cli.tls_cert.or(file.tls_cert.take()),
            cli.tls_key.or(file.tls_key.take()),
            &sources,
        )?;
        if let Some(configured) = configured.as_mut().filter(|_| tls.is_some()) {
            configured.scheme = "https";
        }
        let may_serve_strangers = cli.demo.or(file.demo).unwrap_or(false);
        let is_for_this_machine = configured.is_none() && !may_serve_strangers;
        let mut settings = Self {
            listen: cli.listen.or(file.listen).unwrap_or(DEFAULT_LISTEN),
            drain: cli
                .drain
                .or(file.drain.map(|Seconds(drain)| drain))
                .unwrap_or(DEFAULT_DRAIN),
            drain_delay: cli
                .drain_delay
                .or(file.drain_delay.map(|Seconds(delay)| delay))
                .unwrap_or(DEFAULT_DRAIN_DELAY),
            reactor: cli.reactor.or(file.reactor).unwrap_or(true),
            log: cli
                .log
                .or(file.log.take())
                .unwrap_or_else(|| "info".to_owned()),
            connections: cli.connections.timeouts(&file, &sources)?,
            streams,
            backplane,
            management,
            transformer,
            configured,
            origins: access.allowed_origins(&sources)?,
            hosts: Hosts::new(
                &access.hosts,
                is_for_this_machine,
                &sources.name_of_access("hosts"),
            )?,
            tls,
            sources,
        };
        settings.check(may_serve_strangers)?;
        let audience = settings.audience();
        shares::fill_in(&mut settings.streams, audience);
        Ok(settings)
    }

    fn audience(&self) -> HubAudience {
        match self.configured {
            Some(_) => HubAudience::Known,
            None if self.is_for_this_machine() => HubAudience::ThisMachine,
            None => HubAudience::Everybody,
        }
    }

    fn check(&self, may_serve_strangers: bool) -> Result<(), Error> {
        self.streams.check().map_err(|error| self.blame(&error))?;
        for (flag, time) in [("drain", self.drain), ("drain-delay", self.drain_delay)] {
            if time > LONGEST_DRAIN {
                let problem = format!("must be at most {} seconds", LONGEST_DRAIN.as_secs());
                return Err(Error::Setting {
                    name: self.sources.name(flag),
                    problem,
                });
            }
        }
        match &self.configured {
            Some(_) if may_serve_strangers => Err(Error::Setting {
                name: self.sources.name("demo"),
                problem: "admits everybody, which contradicts the settings of access control; remove one of them"
                    .to_owned(),
            }),
            None if !self.is_for_this_machine() && !may_serve_strangers => {
                Err(Error::DemoForAll(self.listen))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether only this machine can reach the hub.
    pub(crate) fn is_for_this_machine(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    fn blame(&self, error: &BuildError) -> Error {
        let problems = error.problems.iter().map(|problem| {
            format!(
                "{} {}",
                self.sources.name_of_stream(problem.field),
                problem.expected
            )
        });
        Error::Streams(problems.collect())
    }
}

/// Rejects bounds on bodies in flight that are too small for a single body of the maximum size. The
/// default bounds grow with that size.
fn check_bodies(limits: &CallLimits, sources: &Sources) -> Result<(), Error> {
    let default = CallLimits::default();
    let (caller, all) = (limits.bodies_per_caller, limits.bodies);
    let wrong = |field: &str, least: usize, what: &str| {
        let problem = format!("must be at least {least}, {what}");
        Err(Error::Setting {
            name: sources.name_of_management(field),
            problem,
        })
    };
    if caller != default.bodies_per_caller && caller < limits.body {
        return wrong(
            "bodies_per_caller",
            limits.body,
            "the size of one body (--management-body)",
        );
    }
    let least = limits.body.max(if caller == default.bodies_per_caller {
        0
    } else {
        caller
    });
    let least = least.saturating_add(least.div_ceil(3));
    if all != default.bodies && all < least {
        return wrong(
            "bodies",
            least,
            "of which three quarters are one caller's share",
        );
    }
    Ok(())
}

/// Rejects variables that have the prefix of settings but are not settings, such as misspelt names.
fn refuse_unknown_variables() -> Result<(), Error> {
    let shape = Cli::shape();
    let is_known = |name: &str, value: &OsString| {
        name == secrets::BACKEND_KEY
            || service_link::is_service_link(name, &value.to_string_lossy())
            || shape
                .get_arguments()
                .any(|arg| arg.get_env().is_some_and(|env| env == name))
    };
    let variables =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    match variables
        .into_iter()
        .find(|(name, value)| name.starts_with("SSE_HUB_") && !is_known(name, value))
    {
        Some((name, _)) => Err(Error::UnknownVariable(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use sse_core::Retention;

    use super::*;
    use crate::server::backplane::LogAddress;

    fn gather(arguments: &[&str]) -> Result<Settings, String> {
        let arguments = std::iter::once("sse-hub")
            .chain(arguments.iter().copied())
            .map(OsString::from);
        Settings::gather(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn default_settings_are_demo_mode_on_loopback() {
        let settings = gather(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(
            (settings.drain, settings.drain_delay),
            (DEFAULT_DRAIN, Duration::from_secs(5))
        );
        assert_eq!(settings.streams, Config::default());
        assert_eq!(settings.connections.keep_alive, Duration::from_secs(75));
        let settings = gather(&["--keep-alive-timeout", "2m", "--header-timeout=5s"]).unwrap();
        assert_eq!(settings.connections.keep_alive, Duration::from_secs(120));
        assert_eq!(settings.connections.header, Duration::from_secs(5));
        let settings = gather(&[]).unwrap();
        assert!(settings.reactor);
        assert!(!gather(&["--reactor=no"]).unwrap().reactor);
    }

    #[test]
    fn only_loopback_addresses_are_this_machine() {
        for address in [
            "127.0.0.1:0",
            "127.3.2.1:0",
            "[::1]:0",
            "[::ffff:127.0.0.1]:0",
        ] {
            assert!(gather(&["--listen", address]).is_ok(), "{address}");
        }
        for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:80", "[::ffff:10.0.0.1]:80"] {
            let error = gather(&["--listen", address]).unwrap_err();
            assert!(
                error.contains(address) && error.contains("--demo"),
                "{error}"
            );
            assert!(
                gather(&["--demo", "--listen", address]).is_ok(),
                "{address}"
            );
            assert!(
                gather(&["--demo=true", "--listen", address]).is_ok(),
                "{address}"
            );
            assert!(
                gather(&["--demo=no", "--listen", address]).is_err(),
                "{address}"
            );
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let error = gather(&["--retry", "2h", "--limits-topic=0", "--max-age", "1ms"]).unwrap_err();
        for name in [
            "--retry must be",
            "--limits-topic must be",
            "--max-age must be",
        ] {
            assert!(error.contains(name), "{error}");
        }
        for flag in ["--drain", "--drain-delay"] {
            let error = gather(&[flag, "100000"]).unwrap_err();
            assert!(error.contains(&format!("{flag} must be")), "{error}");
        }
        for (flag, time) in [("--header-timeout", "0"), ("--keep-alive-timeout", "25h")] {
            let error = gather(&[flag, time]).unwrap_err();
            assert!(
                error.contains(&format!("{flag} must be between")),
                "{error}"
            );
        }
    }

    #[test]
    fn bounds_below_one_body_are_rejected() {
        for (arguments, name) in [
            (
                &["--management-bodies-per-caller", "1048575"][..],
                "--management-bodies-per-caller must be at least",
            ),
            (
                &["--management-bodies", "1048576"],
                "--management-bodies must be at least 1398102",
            ),
            (
                &[
                    "--management-bodies",
                    "9000000",
                    "--management-bodies-per-caller",
                    "9000000",
                ],
                "--management-bodies must",
            ),
        ] {
            let error = gather(arguments).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        for arguments in [
            &["--management-body", "100000000"][..],
            &["--management-bodies", "2000000"],
            &[
                "--management-bodies",
                "12000000",
                "--management-bodies-per-caller",
                "9000000",
            ],
        ] {
            gather(arguments).unwrap();
        }
    }

    #[test]
    fn public_demo_bounds_streams_per_address() {
        let settings = gather(&[
            "--demo",
            "--listen",
            "0.0.0.0:0",
            "--max-connections",
            "600",
        ])
        .unwrap();
        assert_eq!(settings.streams.max_connections_per_address, Some(300));
    }

    #[test]
    fn backplane_selects_the_event_log() {
        assert!(gather(&[]).unwrap().backplane.is_none());
        let settings = gather(&["--backplane", "memory"]).unwrap();
        assert_eq!(settings.backplane.unwrap().address, LogAddress::Memory);
        assert_eq!(settings.streams.log, Some(Retention::default()));
        let arguments = [
            "--backplane=memory",
            "--log-entries=7",
            "--log-bytes",
            "5000",
            "--log-age",
            "1h",
        ];
        let expected = Retention::default()
            .entries(7)
            .bytes(5000)
            .age(Duration::from_secs(3600));
        assert_eq!(gather(&arguments).unwrap().streams.log, Some(expected));
        for (url, directory) in [
            ("file:events", "events"),
            ("file:/var/events", "/var/events"),
            ("file:///var/events", "/var/events"),
        ] {
            let backplane = gather(&["--backplane", url]).unwrap().backplane.unwrap();
            assert_eq!(
                backplane.address,
                LogAddress::File(directory.into()),
                "{url}"
            );
        }
        for url in [
            "redis://a",
            "rediss://:b@a:1/2",
            "valkey://a",
            "redis+sentinel://a,b/c",
            "valkeys+sentinel://a/c",
        ] {
            let arguments = [
                "--backplane",
                url,
                "--backplane-prefix",
                "shop",
                "--backplane-memory",
                "1024",
            ];
            let backplane = gather(&arguments).unwrap().backplane.unwrap();
            assert!(matches!(backplane.address, LogAddress::Redis(_)), "{url}");
            assert_eq!((&*backplane.prefix, backplane.memory), ("shop", 1024));
        }
        for url in ["nats://a,nats://b", "tls://a"] {
            let backplane = gather(&["--backplane", url]).unwrap().backplane.unwrap();
            assert!(matches!(backplane.address, LogAddress::Nats(_)), "{url}");
        }
    }
}
