//! A backplane on NATS.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sse_core::backplane::{
    Appended, Backplane, BackplaneError, Bounds, Cursor, Lease, NewEntry, Page, ReadLimit, Signals,
    Tail,
};

use crate::{
    config::NatsConfig,
    connection::InitialConnect,
    shared::{Shared, bounded},
    signals::NatsSignals,
    tail::NatsTail,
};

/// A log on NATS JetStream, over one connection that is made again whenever it is lost. A clone is
/// cheap and shares the connection. The connection closes when the last clone, tail and listener
/// are dropped.
///
/// *Server.* Version 2.9 or later, with JetStream. The maximum size of an entry or a signal is the
/// server's `max_payload` less 640 bytes: by default 1 MiB less 640 bytes. The backplane creates
/// two streams, whose names [`NatsConfig::prefix`] defines.
///
/// *Durability.* An append is acknowledged when a majority of the stream's
/// [replicas](NatsConfig::replicas) has the entry. A single server writes to its files at once and
/// syncs them every two minutes, unless configured otherwise. A killed server loses nothing. A
/// machine that loses power can lose the latest entries; nodes detect that loss and notify clients.
///
/// *Unavailable servers.* If the server closes the connection, the loss is detected at once. If the
/// server falls silent, the loss is detected within 9 s. From then on, calls fail at once with
/// [`BackplaneError::Unavailable`], and tails and listeners end. Attempts to connect are 50 ms to 5
/// s apart, jittered.
///
/// *Undetected loss.* A loss is not detected if an older copy of the server's files is restored
/// while no node runs that knows of the missing entries.
///
/// ```no_run
/// use sse_core::Manager;
/// use sse_nats::{NatsBackplane, NatsConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = NatsConfig::default();
/// let backplane = NatsBackplane::connect("nats://127.0.0.1:4222", config).await?;
/// let manager = Manager::builder().backplane(backplane).build()?;
/// assert!(manager.started().await);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct NatsBackplane(Arc<Shared>);

impl fmt::Debug for NatsBackplane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsBackplane")
            .field("stream", &self.0.names.log_stream)
            .finish_non_exhaustive()
    }
}

impl NatsBackplane {
    /// Connects, and creates the streams if they are missing. Existing streams are set to the
    /// retention and the replicas of the configuration.
    ///
    /// The URL is `nats://HOST:PORT`, or `tls://` for servers with TLS only. The default port is
    /// 4222. Several URLs separated by commas name servers of one cluster. `USER:PASSWORD@` or
    /// `TOKEN@` precedes the host, percent-encoded; credentials of the configuration take
    /// precedence. Errors and log lines never contain credentials. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if no server replies, and [`BackplaneError::Blocked`] if the
    /// server has no room for a stream; another attempt can succeed.
    /// [`BackplaneError::Rejected`] until something is changed: an invalid URL, a number out of
    /// range, a failure of TLS, credentials that the server does not accept, missing rights, or an
    /// existing stream of the same name with other settings, which the error names.
    pub async fn connect(url: &str, config: NatsConfig) -> Result<Self, BackplaneError> {
        let shared = Shared::open(url, &config, InitialConnect::Connected).await?;
        bounded(shared.epochs.find()).await?;
        Ok(Self(Arc::new(shared)))
    }

    /// Connects in the background, for a node that must start while its server may be unavailable.
    /// Calls fail with [`BackplaneError::Unavailable`] until the connection is made. URLs and
    /// streams are handled as by [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`BackplaneError::Rejected`] for an invalid URL, a number out of range, and credentials that
    /// cannot be read. Later calls report a rejection by the server.
    pub async fn start(url: &str, config: NatsConfig) -> Result<Self, BackplaneError> {
        Ok(Self(Arc::new(
            Shared::open(url, &config, InitialConnect::Connecting).await?,
        )))
    }
}

#[async_trait]
impl Backplane for NatsBackplane {
    fn name(&self) -> &'static str {
        "nats"
    }

    async fn bounds(&self) -> Result<Bounds, BackplaneError> {
        Ok(bounded(self.0.epochs.find()).await?.bounds())
    }

    async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        bounded(self.0.append(entry)).await
    }

    async fn read(&self, after: &Cursor, limit: ReadLimit) -> Result<Page, BackplaneError> {
        bounded(self.0.read(after, limit)).await
    }

    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError> {
        bounded(self.0.rewind(entries)).await
    }

    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError> {
        Ok(Box::new(
            bounded(NatsTail::start(Arc::clone(&self.0), after)).await?,
        ))
    }

    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        self.0.check_size(payload.len())?;
        bounded(self.0.signal(payload)).await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError> {
        Ok(Box::new(
            bounded(NatsSignals::start(Arc::clone(&self.0))).await?,
        ))
    }

    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError> {
        bounded(self.0.hold_lease(lease, term)).await
    }

    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
        bounded(self.0.drop_lease(node)).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError> {
        bounded(self.0.leases()).await
    }
}
