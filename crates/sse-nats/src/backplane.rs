//! The backplane on NATS.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sse_core::{
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
/// cheap and shares it.
///
/// *The server* is 2.9 or later, with JetStream. Its `max_payload` less 640 bytes is the most that
/// an entry or a signal may be: by default 1 MiB less 640 bytes. Two streams are made, with the
/// names that [`NatsConfig::prefix`] says.
///
/// *Durability.* An append is acknowledged when the stream's leader and most of its
/// [replicas](NatsConfig::replicas) have it. A server by itself writes to its files at once and
/// syncs them every two minutes, unless set otherwise: it may be killed without loss, but a machine
/// that loses power may lose what came last, which nodes notice and clients are told.
///
/// *A server that is away* is noticed at once when it closes the connection, by whoever asks it for
/// something within 9 s, and by everybody then, when it just falls silent. New attempts to connect
/// come after 50 ms to 5 s, in jittered steps.
///
/// *What cannot be noticed:* an older copy of the server's files is put in place while no node is
/// there that knows of what it lacks.
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
    /// Connects, and makes the streams if they are missing. Those that are there are set to the
    /// retention and the replicas of the configuration.
    ///
    /// The URL is `nats://HOST:PORT`, or `tls://` for servers with TLS only, port 4222 if it has
    /// none; several with commas between are servers of one cluster. `USER:PASSWORD@` or `TOKEN@`
    /// stands before the host, percent-encoded; the configuration's counts more. Errors and log
    /// lines never have them. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] when no server answers; another attempt may succeed.
    /// [`BackplaneError::Rejected`] when none will: a URL or a number out of range, credentials
    /// that the server does not accept, missing rights, a stream of our name with other settings,
    /// which are named.
    pub async fn connect(url: &str, config: NatsConfig) -> Result<Self, BackplaneError> {
        let shared = Shared::open(url, &config, InitialConnect::Connected).await?;
        bounded(shared.epochs.find()).await?;
        Ok(Self(Arc::new(shared)))
    }

    /// Connects in the background, for a node that is to start while its server may be away: calls
    /// fail with [`BackplaneError::Unavailable`] until it is there. What [`connect`](Self::connect)
    /// says of URLs and streams holds here too.
    ///
    /// # Errors
    /// [`BackplaneError::Rejected`] for a URL or a number out of range, and credentials that cannot
    /// be read. What the server refuses is told by later calls.
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
