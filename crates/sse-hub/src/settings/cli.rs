//! The command line and its variables.

use std::{env, ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{
    ArgMatches, Command, CommandFactory, Parser,
    builder::{BoolishValueParser, OsStr, Resettable},
};

use crate::{
    error::Error,
    settings::{
        access_args::AccessArgs,
        connection_args::ConnectionArgs,
        log_args::LogArgs,
        management_args::ManagementArgs,
        service_link,
        stream_args::StreamArgs,
        values::{address, seconds},
    },
};

const AFTER_HELP: &str = "\
Every setting has a flag, a variable and a key in the file, in this order of precedence.
Durations are texts such as 500ms or 1m30s. A bare number is milliseconds; for --drain and --drain-delay it is seconds.
Sizes are in bytes.
Signals: SIGTERM, SIGQUIT and SIGINT drain the hub. SIGHUP drains a hub that was started from a terminal;
otherwise it reloads certificates, secrets and keys.
Exit codes: 0 after a drain, 1 for a failure at run time, 2 for a rejected configuration,
130, 131 or 143 when a second SIGINT, SIGQUIT or SIGTERM ended the drain.";

/// A ready-made hub for Server-Sent Events: streams, a management API and a demo page.
#[derive(Debug, Parser)]
#[command(name = "sse-hub", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Address to listen on; port 0 selects a free port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = address, env = "SSE_HUB_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// TOML file with settings
    #[arg(long, value_name = "FILE", env = "SSE_HUB_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Time limit for ending all streams after SIGTERM or Ctrl-C [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, env = "SSE_HUB_DRAIN")]
    pub(crate) drain: Option<Duration>,
    /// Time between SIGTERM or SIGQUIT and the drain; meanwhile /health/ready responds with 503, so
    /// that load balancers stop sending requests [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, env = "SSE_HUB_DRAIN_DELAY")]
    pub(crate) drain_delay: Option<Duration>,
    /// Allow demo mode on any address: visitors name themselves and may do everything, also from
    /// other machines
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), env = "SSE_HUB_DEMO")]
    pub(crate) demo: Option<bool>,
    /// Serve streams on bare sockets if the connection allows it; otherwise hyper serves all
    /// streams [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), env = "SSE_HUB_REACTOR")]
    pub(crate) reactor: Option<bool>,
    /// Log filter in the syntax of RUST_LOG: `info`, `sse_hub=debug,sse_core=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "SSE_HUB_LOG")]
    pub(crate) log: Option<String>,
    /// Certificate chain in PEM, for TLS; over HTTP/2, browsers do not limit streams to six per
    /// host
    #[arg(long, value_name = "FILE", env = "SSE_HUB_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate in PEM
    #[arg(long, value_name = "FILE", env = "SSE_HUB_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connections: ConnectionArgs,
    #[command(flatten)]
    pub(crate) streams: StreamArgs,
    #[command(flatten)]
    pub(crate) management: ManagementArgs,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) event_log: LogArgs,
}

impl Cli {
    /// Returns the definition of the command line. Its help hides the values of variables. A
    /// variable that a platform sets for a service is not assigned to a setting.
    pub(crate) fn shape() -> Command {
        Self::command().mut_args(|arg| {
            let is_link = arg
                .get_env()
                .and_then(|name| name.to_str())
                .is_some_and(|name| {
                    env::var(name).is_ok_and(|value| service_link::is_service_link(name, &value))
                });
            let arg = arg.hide_env_values(true);
            if is_link {
                arg.env(Resettable::<OsStr>::Reset)
            } else {
                arg
            }
        })
    }

    /// Parses a command line and the variables of this process.
    pub(crate) fn matches(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<ArgMatches, Error> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        Self::shape()
            .try_get_matches_from(arguments.clone())
            .map_err(|error| Error::CommandLine {
                hint: blamed_variable(&error, &arguments),
                error,
            })
    }
}

/// Returns the variable that a wrong value came from, since clap names only the flag.
fn blamed_variable(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(usage)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let flag = usage.split(['=', ' ', '[']).next()?;
    let is_given = |argument: &OsString| {
        argument
            .to_str()
            .is_some_and(|argument| argument.split('=').next() == Some(flag))
    };
    if arguments.iter().any(is_given) {
        return None;
    }
    let shape = Cli::shape();
    let arg = shape
        .get_arguments()
        .find(|arg| arg.get_long() == flag.strip_prefix("--"))?;
    let variable = arg.get_env()?;
    env::var_os(variable).map(|_| variable.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, to_value};
    use sse_core::Config;

    use super::*;

    #[test]
    fn command_line_is_valid() {
        Cli::shape().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable_of_its_name() {
        let shape = Cli::shape();
        let settings: Vec<_> = shape
            .get_arguments()
            .filter_map(|arg| Some((arg.get_long()?, arg)))
            .collect();
        assert!(settings.len() > 20);
        for (long, arg) in settings {
            let variable = format!("SSE_HUB_{}", long.to_uppercase().replace('-', "_"));
            assert_eq!(
                arg.get_env().and_then(|env| env.to_str()),
                Some(variable.as_str()),
                "--{long}"
            );
        }
    }

    #[test]
    fn every_field_of_the_libraries_has_a_flag() {
        let flags: Vec<_> = Cli::shape()
            .get_arguments()
            .filter_map(|arg| arg.get_long().map(str::to_owned))
            .collect();
        let mut names = Vec::new();
        collect_names("", &to_value(Config::default()).unwrap(), &mut names);
        collect_names(
            "management_",
            &to_value(sse_trpc::CallLimits::default()).unwrap(),
            &mut names,
        );
        assert!(names.len() > 20);
        for name in names {
            assert!(
                flags.contains(&name.replace('_', "-")),
                "no flag for {name}"
            );
        }
    }

    fn collect_names(prefix: &str, value: &Value, names: &mut Vec<String>) {
        let Value::Object(fields) = value else {
            panic!("{value} is not an object")
        };
        for (name, value) in fields {
            let name = format!("{prefix}{name}");
            match value {
                Value::Object(_) => collect_names(&format!("{name}_"), value, names),
                _ => names.push(name),
            }
        }
    }

    #[test]
    fn every_flag_is_in_the_readme() {
        let readme = include_str!("../../README.md");
        for arg in Cli::shape().get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            assert!(
                readme.contains(&format!("`--{long}")),
                "--{long} is not in the README"
            );
        }
    }
}
