//! Where published events go and come from.

use std::{error::Error as StdError, path::PathBuf, sync::Arc, time::Duration};

use sse_core::{Backplane as Log, BackplaneError, Config};
use tokio::time::timeout;
use tracing::warn;

use crate::{error::Error, secrets::Secret};

/// Where published events go and come from.
#[derive(Debug)]
pub(crate) struct Backplane {
    /// The setting that says so.
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) prefix: String,
    /// Bytes of it that are held in memory, if it is elsewhere.
    pub(crate) memory: u64,
}

/// Where a log is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Memory,
    File(PathBuf),
    Redis(Secret),
    Nats(Secret),
}

/// How long a start waits for a broker to say that it will have nothing to do with us.
const PATIENCE: Duration = Duration::from_secs(3);

impl Address {
    /// Reads a URL. What is wrong with it is told without its text, which may have a password in it.
    pub(crate) fn parse(url: &Secret) -> Result<Self, Error> {
        let (scheme, rest) = url.text().split_once(':').unwrap_or((url.text(), ""));
        let wrong = |problem: &str| Error::Setting { name: url.source.clone(), problem: problem.to_owned() };
        match (scheme, rest) {
            ("memory", "") => Ok(Self::Memory),
            ("file", "") => Err(wrong("should name a directory, as file:/var/lib/sse-hub")),
            ("file", dir) => match dir.strip_prefix("//") {
                Some(path) if path.starts_with('/') => Ok(Self::File(path.into())),
                Some(_) => Err(wrong("names another machine; a directory here is file:DIR or file:///DIR")),
                None => Ok(Self::File(dir.into())),
            },
            ("redis" | "rediss" | "valkey" | "valkeys" | "unix", _) => Ok(Self::Redis(url.clone())),
            ("nats" | "tls", _) => Ok(Self::Nats(url.clone())),
            _ => Err(wrong(
                "should be memory, file:DIR, redis://…, rediss://…, nats://… or tls://…",
            )),
        }
    }

    /// Whether several hubs may have it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_) | Self::Nats(_))
    }
}

/// A log that was opened.
pub(crate) struct Opened {
    /// `None` where it is the manager's own.
    pub(crate) log: Option<Arc<dyn Log>>,
}

impl Backplane {
    /// Opens the log. A broker that is away is no reason not to start; one that refuses us is.
    pub(crate) async fn open(&self, streams: &mut Config) -> Result<Opened, Error> {
        let log: Arc<dyn Log> = match &self.address {
            Address::Memory => return Ok(Opened { log: None }),
            _ => return Err(Error::NotBuilt(self.name.clone())),
        };
        if let Some(retention) = &mut streams.log {
            retention.bytes = retention.bytes.min(self.memory);
        }
        self.greet(&*log).await?;
        Ok(Opened { log: Some(log) })
    }

    async fn greet(&self, log: &dyn Log) -> Result<(), Error> {
        let bounds = timeout(PATIENCE, log.bounds()).await;
        match bounds.unwrap_or_else(|late| Err(BackplaneError::unavailable(PATIENCE, late))) {
            Ok(_) => Ok(()),
            Err(error @ BackplaneError::Refused { .. }) => Err(self.wrong(&error)),
            Err(error) => {
                let (backplane, error) = (log.name(), &error as &dyn StdError);
                warn!(backplane, error, "the event log cannot be reached; the hub is not ready until it can");
                Ok(())
            }
        }
    }

    fn wrong(&self, error: &dyn StdError) -> Error {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let texts: Vec<_> = causes.map(ToString::to_string).collect();
        Error::Setting { name: self.name.clone(), problem: format!("cannot be used: {}", texts.join(": ")) }
    }
}
