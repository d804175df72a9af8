//! The event log: flags, variables and keys of the file.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use sse_core::{Config, Retention, config::KeyLimits};

use crate::{
    error::Error,
    server::{
        backplane::{BackplaneSettings, LogAddress},
        broker_tls::BrokerTls,
    },
    settings::{
        config_file::Fields,
        key_file::{self, Holds},
        secrets::SecretSetting,
        source::Sources,
        values::{duration, put},
    },
};

/// Location and retention of the event log.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Event log")]
pub(crate) struct LogArgs {
    /// Event log, from which returning clients receive missed events: memory, file:DIR, redis://…,
    /// rediss://…, redis+sentinel://…, nats://…, tls://… [default: no log, real-time only]
    #[arg(long, value_name = "URL", env = "SSE_HUB_BACKPLANE")]
    backplane: Option<String>,
    /// File with the URL of the event log, for a URL with a password
    #[arg(long, value_name = "FILE", env = "SSE_HUB_BACKPLANE_FILE")]
    backplane_file: Option<PathBuf>,
    /// Prefix of names in Redis or NATS; hubs with the same prefix share a log [default: sse]
    #[arg(long, value_name = "NAME", env = "SSE_HUB_BACKPLANE_PREFIX")]
    backplane_prefix: Option<String>,
    /// PEM file with the authorities that are trusted to sign the broker's certificate [default:
    /// those of the system]
    #[arg(long, value_name = "FILE", env = "SSE_HUB_BACKPLANE_CA")]
    backplane_ca: Option<PathBuf>,
    /// PEM file with the client certificate for the broker
    #[arg(long, value_name = "FILE", env = "SSE_HUB_BACKPLANE_CERT")]
    backplane_cert: Option<PathBuf>,
    /// PEM file with the private key of the client certificate
    #[arg(long, value_name = "FILE", env = "SSE_HUB_BACKPLANE_KEY")]
    backplane_key: Option<PathBuf>,
    /// Number of servers of a NATS cluster that hold the log, 1 to 5 [default: 1]
    #[arg(long, value_name = "N", env = "SSE_HUB_BACKPLANE_REPLICAS")]
    backplane_replicas: Option<u8>,
    /// Maximum size of the part of an external log that is also held in memory, for clients that
    /// return soon [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_BACKPLANE_MEMORY")]
    backplane_memory: Option<u64>,
    /// Name of this hub in the statistics of all hubs that share its log [default: its address]
    #[arg(long, value_name = "NAME", env = "SSE_HUB_NODE_NAME")]
    node_name: Option<String>,
    /// Maximum number of events in the log [default: 100000]
    #[arg(long, value_name = "N", env = "SSE_HUB_LOG_ENTRIES")]
    log_entries: Option<usize>,
    /// Maximum size of the log [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_LOG_BYTES")]
    log_bytes: Option<u64>,
    /// Maximum age of an event in the log [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_LOG_AGE")]
    log_age: Option<Duration>,
}

/// Default maximum size of the part of an external log that is also held in memory, in bytes.
const MEMORY: u64 = 64 << 20;

impl LogArgs {
    /// Returns the backplane, if events are logged. Adds the retention to the streams' settings.
    pub(crate) fn apply(
        self,
        file: &mut Fields,
        streams: &mut Config,
        sources: &Sources,
    ) -> Result<Option<BackplaneSettings>, Error> {
        let retention = self.retention(streams.log);
        let tls = self.tls(file, sources)?;
        let prefix = self.backplane_prefix.or(file.backplane_prefix.take());
        let memory = self.backplane_memory.or(file.backplane_memory);
        let replicas = self.backplane_replicas.or(file.backplane_replicas);
        let node = self.node_name.or(file.node_name.take());
        let url = match (self.backplane, self.backplane_file) {
            (None, None) => (file.backplane.take(), file.backplane_file.take()),
            given => given,
        };
        let idle = |flag: &str, problem: &str| Err(setting(sources.name(flag), problem));
        let Some(url) = url_of(url, sources)? else {
            return match retention {
                Some(_) => Err(setting(name_of_retention(sources), NO_LOG)),
                None if prefix.is_some() => idle("backplane-prefix", NO_LOG),
                None if memory.is_some() => idle("backplane-memory", NO_LOG),
                None if replicas.is_some() => idle("backplane-replicas", NO_LOG),
                None if node.is_some() => idle("node-name", NO_LOG),
                None if streams.keys != KeyLimits::default() => {
                    Err(setting(name_of_keys(&streams.keys, sources), NO_LOG))
                }
                None => tls.given().map_or(Ok(None), |flag| idle(flag, NO_LOG)),
            };
        };
        let address = LogAddress::parse(&url)?;
        for (flag, is_given) in [
            ("backplane-prefix", prefix.is_some()),
            ("node-name", node.is_some()),
        ] {
            if is_given && !address.is_shared() {
                return idle(flag, "is for Redis and NATS, where hubs can share a log");
            }
        }
        if replicas.is_some() && !matches!(address, LogAddress::Nats(_)) {
            return idle(
                "backplane-replicas",
                "is for NATS; the replicas of Redis are configured in Redis",
            );
        }
        if replicas.is_some_and(|count| !(1..=5).contains(&count)) {
            return idle("backplane-replicas", "must be 1 to 5");
        }
        if node
            .as_ref()
            .is_some_and(|name| name.is_empty() || name.len() > 128)
        {
            return idle("node-name", "must have 1 to 128 bytes");
        }
        if let Some(flag) = tls.given().filter(|_| !address.is_shared()) {
            return idle(flag, "is for Redis and NATS");
        }
        if memory.is_some() && address == LogAddress::Memory {
            return idle(
                "backplane-memory",
                "is for an external log; --log-bytes limits a log in memory",
            );
        }
        if memory.is_some_and(|bytes| !(1 << 10..=1 << 40).contains(&bytes)) {
            return idle("backplane-memory", "must be 1024 to 1099511627776");
        }
        streams.log = Some(retention.unwrap_or_default());
        let prefix = prefix.unwrap_or_else(|| "sse".to_owned());
        let (memory, replicas) = (memory.unwrap_or(MEMORY), replicas.unwrap_or(1));
        Ok(Some(BackplaneSettings {
            name: url.source,
            address,
            prefix,
            memory,
            replicas,
            node,
            tls,
        }))
    }

    fn tls(&self, file: &mut Fields, sources: &Sources) -> Result<BrokerTls, Error> {
        let authorities = self.backplane_ca.clone().or(file.backplane_ca.take());
        let certificate = self.backplane_cert.clone().or(file.backplane_cert.take());
        let key = self.backplane_key.clone().or(file.backplane_key.take());
        let lone = |given: &str, problem: &str| Err(setting(sources.name(given), problem));
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(_), None) => return lone("backplane-cert", "needs --backplane-key"),
            (None, Some(_)) => return lone("backplane-key", "needs --backplane-cert"),
            (None, None) => None,
        };
        if let Some((_, key)) = &client {
            key_file::read(key, Holds::Secret, sources)?;
        }
        Ok(BrokerTls {
            authorities,
            client,
        })
    }

    fn retention(&self, file: Option<Retention>) -> Option<Retention> {
        let is_given =
            self.log_entries.is_some() || self.log_bytes.is_some() || self.log_age.is_some();
        let mut retention = file.or(is_given.then(Retention::default))?;
        put(&mut retention.entries, self.log_entries);
        put(&mut retention.bytes, self.log_bytes);
        put(&mut retention.age, self.log_age);
        Some(retention)
    }
}

const NO_LOG: &str = "is for a hub that logs events; set --backplane";

/// Returns the URL and its location.
fn url_of(
    (text, file): (Option<String>, Option<PathBuf>),
    sources: &Sources,
) -> Result<Option<SecretSetting>, Error> {
    match (text, file) {
        (Some(_), Some(_)) => {
            let problem = "and --backplane-file are both given; remove one of them";
            Err(setting(sources.name("backplane"), problem))
        }
        (Some(text), None) => SecretSetting::new(&sources.name("backplane"), text).map(Some),
        (None, Some(path)) => SecretSetting::file(&path, sources).map(Some),
        (None, None) => Ok(None),
    }
}

/// Returns the name of a retention setting that was given.
fn name_of_retention(sources: &Sources) -> String {
    let fields = ["log.entries", "log.bytes", "log.age"];
    let given = fields
        .into_iter()
        .find(|field| sources.is_given(&field.replace('.', "-")));
    sources.name_of_stream(given.unwrap_or("log"))
}

/// Returns the name of a bound on keys that was given.
fn name_of_keys(keys: &KeyLimits, sources: &Sources) -> String {
    let default = KeyLimits::default();
    let changed = [
        ("keys.per_user", keys.per_user != default.per_user),
        ("keys.of_users", keys.of_users != default.of_users),
        ("keys.of_backends", keys.of_backends != default.of_backends),
    ];
    let given = changed
        .into_iter()
        .find_map(|(field, is_changed)| is_changed.then_some(field));
    sources.name_of_stream(given.unwrap_or("keys"))
}

fn setting(name: String, problem: &str) -> Error {
    Error::Setting {
        name,
        problem: problem.to_owned(),
    }
}
