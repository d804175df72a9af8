//! The backplane: where the hub logs published events.

use std::{
    error::Error as StdError,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sse_core::{
    Config, Retention,
    backplane::{Backplane, BackplaneError},
};
use sse_file::{FileBackplane, FileConfig, OpenError};
use sse_nats::{NatsBackplane, NatsConfig};
use sse_redis::{RedisBackplane, RedisConfig};
use tokio::time::timeout;
use tracing::warn;

use crate::{error::Error, server::broker_tls::BrokerTls, settings::secrets::SecretSetting};

/// Settings of the backplane.
#[derive(Debug)]
pub(crate) struct BackplaneSettings {
    /// Name of the setting with the URL.
    pub(crate) name: String,
    pub(crate) address: LogAddress,
    pub(crate) prefix: String,
    /// Bytes of an external log that are also held in memory.
    pub(crate) memory: u64,
    /// Number of NATS servers that hold the log.
    pub(crate) replicas: u8,
    /// Name of this hub among the hubs that share the log.
    pub(crate) node: Option<String>,
    pub(crate) tls: BrokerTls,
}

/// Location of the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LogAddress {
    Memory,
    File(PathBuf),
    Redis(SecretSetting),
    Nats(SecretSetting),
}

/// Timeout at start for the first response of a broker.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum size of the envelope of an event in the log, including targets and exceptions.
const ENVELOPE: usize = 64 << 10;

/// Maximum size of an entry in a file.
const MAX_ENTRY: usize = 64 << 20;

impl LogAddress {
    /// Parses a URL. Errors do not contain the text of the URL, since it can include a password.
    pub(crate) fn parse(url: &SecretSetting) -> Result<Self, Error> {
        if url.text() == "memory" {
            return Ok(Self::Memory);
        }
        let (scheme, rest) = url.text().split_once(':').unwrap_or_default();
        let wrong = |problem: &str| Error::Setting {
            name: url.source.clone(),
            problem: problem.to_owned(),
        };
        match (scheme, rest) {
            ("file", "") => Err(wrong("must name a directory, as in file:/var/lib/sse-hub")),
            ("file", dir) => match dir.strip_prefix("//") {
                Some(path) if path.starts_with('/') => Ok(Self::File(path.into())),
                Some(_) => Err(wrong(
                    "names a directory on another machine; use file:DIR or file:///DIR",
                )),
                None => Ok(Self::File(dir.into())),
            },
            ("redis" | "rediss" | "valkey" | "valkeys" | "unix", _) => Ok(Self::Redis(url.clone())),
            ("redis+sentinel" | "rediss+sentinel" | "valkey+sentinel" | "valkeys+sentinel", _) => {
                Ok(Self::Redis(url.clone()))
            }
            ("nats" | "tls", _) => Ok(Self::Nats(url.clone())),
            _ => Err(wrong(
                "must be memory, file:DIR, redis://…, rediss://…, redis+sentinel://…, nats://… or tls://…",
            )),
        }
    }

    /// Returns whether several hubs can share the log.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_) | Self::Nats(_))
    }
}

/// An open log.
pub(crate) enum Opened {
    /// The log in the manager's memory.
    Memory,
    File(FileBackplane),
    Broker(Arc<dyn Backplane>),
}

impl Opened {
    pub(crate) fn log(&self) -> Option<Arc<dyn Backplane>> {
        match self {
            Self::Memory => None,
            Self::File(log) => Some(Arc::new(log.clone())),
            Self::Broker(log) => Some(Arc::clone(log)),
        }
    }

    /// Closes the log. Resolves when all logged events are written.
    pub(crate) async fn close(self) {
        if let Self::File(log) = self {
            log.close().await;
        }
    }
}

impl BackplaneSettings {
    /// Opens the log, and limits in the streams' settings how much of it is held in memory. The hub
    /// also starts while a broker is unavailable. A broker that rejects the hub is an error.
    pub(crate) async fn open(&self, streams: &mut Config) -> Result<Opened, Error> {
        let retention = streams.log.unwrap_or_default();
        if self.address != LogAddress::Memory {
            streams.log = Some(retention.bytes(retention.bytes.min(self.memory)));
        }
        // The largest event of a stream, and its envelope in the log.
        let largest = streams.queue_bytes + ENVELOPE;
        let broker: Arc<dyn Backplane> = match &self.address {
            LogAddress::Memory => return Ok(Opened::Memory),
            LogAddress::File(directory) => {
                return self.open_file(directory, retention, largest).await;
            }
            LogAddress::Redis(url) => {
                let config = RedisConfig::default()
                    .prefix(&self.prefix)
                    .retention(retention)
                    .max_payload(largest);
                let config = self.tls.for_redis(config)?;
                let log =
                    RedisBackplane::new(url.text(), config).map_err(|error| self.wrong(&error))?;
                self.first_response(log.bounds()).await?;
                Arc::new(log)
            }
            LogAddress::Nats(url) => {
                let config = NatsConfig::default()
                    .prefix(&self.prefix)
                    .retention(retention);
                let config = config.replicas(self.replicas);
                let config = self.tls.for_nats(config)?;
                match self
                    .first_response(NatsBackplane::connect(url.text(), config.clone()))
                    .await?
                {
                    Some(log) => Arc::new(log),
                    None => {
                        let log = NatsBackplane::start(url.text(), config).await;
                        Arc::new(log.map_err(|error| self.wrong(&error))?)
                    }
                }
            }
        };
        Ok(Opened::Broker(broker))
    }

    async fn open_file(
        &self,
        directory: &Path,
        retention: Retention,
        largest: usize,
    ) -> Result<Opened, Error> {
        let config = FileConfig::default().retention(retention);
        let entry_bytes = config.entry_bytes.max(largest).min(MAX_ENTRY);
        let config = config.entry_bytes(entry_bytes);
        match FileBackplane::open(directory, config).await {
            Ok(log) => Ok(Opened::File(log)),
            Err(error @ OpenError::Setting { .. }) => Err(self.wrong(&error)),
            Err(error) => {
                let problem = in_full(&error);
                let remedy = match error {
                    OpenError::Damaged(_) => {
                        "; restore the directory, or move it away to begin with an empty log"
                    }
                    _ => "",
                };
                Err(Error::Log {
                    name: self.name.clone(),
                    problem: format!("{problem}{remedy}"),
                })
            }
        }
    }

    /// Returns the first response of a broker, or `None` if the broker is unavailable.
    async fn first_response<T>(
        &self,
        answer: impl Future<Output = Result<T, BackplaneError>>,
    ) -> Result<Option<T>, Error> {
        let answer = timeout(RESPONSE_TIMEOUT, answer).await;
        match answer.unwrap_or_else(|late| Err(BackplaneError::unavailable(RESPONSE_TIMEOUT, late)))
        {
            Ok(answer) => Ok(Some(answer)),
            Err(error @ BackplaneError::Rejected { .. }) => Err(self.wrong(&error)),
            Err(error) => {
                let error = &error as &dyn StdError;
                warn!(
                    error,
                    "failed to reach the event log; the hub becomes ready once the log is available"
                );
                Ok(None)
            }
        }
    }

    fn wrong(&self, error: &(dyn StdError + 'static)) -> Error {
        Error::Setting {
            name: self.name.clone(),
            problem: format!("cannot be used: {}", in_full(error)),
        }
    }
}

/// Formats an error and its causes.
fn in_full(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
