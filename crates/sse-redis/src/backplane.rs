//! A backplane on Redis Streams.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sse_core::backplane::{
    Appended, Backplane, BackplaneError, Bounds, Cursor, Lease, NewEntry, Page, ReadLimit, Signals,
    Tail,
};
use tokio::time::timeout;

use crate::{
    append::Appender,
    config::RedisConfig,
    connection::{
        RedisConnection,
        reconnecting::Reconnecting,
        server::{Discovery, RedisServer},
        tls::Certificates,
    },
    error,
    keys::Keys,
    leases, read,
    shared::Shared,
    signals::RedisSignals,
    tail::RedisTail,
};

/// A log on Redis Streams that every node appends to and follows. A clone is cheap and is the same
/// node.
///
/// The backplane has one connection for appends, one for all other requests, and one for each tail
/// and listener. Connections are made when they are needed, and made again after they are lost.
///
/// ```no_run
/// use sse_core::Manager;
/// use sse_redis::{RedisBackplane, RedisConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = RedisConfig::default();
/// let backplane = RedisBackplane::connect("redis://127.0.0.1:6379", config).await?;
/// let manager = Manager::builder().backplane(backplane).build()?;
/// assert!(manager.started().await);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisBackplane(Arc<RedisNode>);

struct RedisNode {
    shared: Arc<Shared>,
    appends: Appender,
    calls: Reconnecting<RedisConnection>,
}

/// Time limit of every call.
const LONGEST: Duration = Duration::from_secs(9);

impl RedisBackplane {
    /// Connects, and creates the log if it does not exist.
    ///
    /// The URL is `redis://[[user]:password@]host[:port][/database]`, with `rediss://` for TLS, or
    /// `unix:///path?db=…&user=…&pass=…` for a Unix socket. `valkey` in place of `redis` means the
    /// same. The default port is 6379. In a cluster, the host is any of its servers.
    ///
    /// With `redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/primary[/database]`, the
    /// backplane asks sentinels for the address of the named primary each time that it connects.
    /// The default port of sentinels is 26379. `rediss+sentinel://` uses TLS for sentinels and
    /// primary. User and password are those of the primary; a login for the sentinels follows as
    /// `?sentinel_user=…&sentinel_password=…`.
    ///
    /// # Errors
    /// [`BackplaneError::Rejected`] if the URL or the configuration is invalid, or if the server
    /// rejects the login or a command. [`BackplaneError::Blocked`] if the log must be created while
    /// the server accepts no writes. [`BackplaneError::Unavailable`] if the server cannot be
    /// reached.
    pub async fn connect(url: &str, config: RedisConfig) -> Result<Self, BackplaneError> {
        let backplane = Self::new(url, config)?;
        backplane.bounds().await?;
        Ok(backplane)
    }

    /// Creates a backplane that connects when it is first used, for a node that must start while
    /// its server is unavailable. Otherwise like [`RedisBackplane::connect`].
    ///
    /// # Errors
    /// [`BackplaneError::Rejected`] if the URL or the configuration is invalid.
    pub fn new(url: &str, config: RedisConfig) -> Result<Self, BackplaneError> {
        let certificates = Certificates {
            authorities: config.authorities.as_deref(),
            client: config.client_certificate.as_ref(),
        };
        let server = RedisServer::parse(url, certificates)?;
        let keys = Keys::new(&config.prefix, server.database())?;
        if let Some(replicas) = config.replicas
            && replicas.within >= config.response_timeout
        {
            return Err(BackplaneError::rejected(
                "timeout for replicas must be shorter than the response timeout",
            ));
        }
        let shared = Arc::new(Shared::new(server, keys, config));
        let (appends, calls) = (
            Appender::new(Arc::clone(&shared)),
            Reconnecting::new(Arc::clone(&shared)),
        );
        Ok(Self(Arc::new(RedisNode {
            shared,
            appends,
            calls,
        })))
    }
}

impl fmt::Debug for RedisBackplane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RedisBackplane");
        match &self.0.shared.server.discovery {
            Discovery::At(address) => debug.field("address", &format_args!("{address}")),
            Discovery::By(sentinels) => debug.field("sentinels", sentinels),
        };
        debug
            .field("prefix", &self.0.shared.config.prefix)
            .finish_non_exhaustive()
    }
}

/// Returns the result, or an error if the time limit passes first.
async fn in_time<T>(
    call: impl Future<Output = Result<T, BackplaneError>>,
) -> Result<T, BackplaneError> {
    timeout(LONGEST, call)
        .await
        .unwrap_or_else(|elapsed| Err(BackplaneError::unavailable(error::SOON, elapsed)))
}

#[async_trait]
impl Backplane for RedisBackplane {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn bounds(&self) -> Result<Bounds, BackplaneError> {
        in_time(read::open(&self.0.calls)).await.map(Into::into)
    }

    async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        self.0.appends.append(entry).await
    }

    async fn read(&self, after: &Cursor, limit: ReadLimit) -> Result<Page, BackplaneError> {
        in_time(read::read(&self.0.calls, after, limit)).await
    }

    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError> {
        in_time(read::rewind(&self.0.calls, entries)).await
    }

    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError> {
        Ok(Box::new(
            in_time(RedisTail::new(&self.0.shared, after)).await?,
        ))
    }

    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        let (size, limit) = (payload.len(), self.0.shared.config.max_payload);
        if size > limit {
            return Err(BackplaneError::TooLarge { size, limit });
        }
        in_time(self.publish(&payload)).await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError> {
        Ok(Box::new(in_time(RedisSignals::new(&self.0.shared)).await?))
    }

    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError> {
        in_time(leases::hold(&self.0.calls, &self.0.shared, &lease, term)).await
    }

    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
        in_time(leases::drop(&self.0.calls, &self.0.shared, node)).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError> {
        in_time(leases::all(&self.0.calls, &self.0.shared)).await
    }
}

impl RedisBackplane {
    /// Sends a signal once: without a retry, even if it is not known whether the server received
    /// the signal.
    async fn publish(&self, payload: &[u8]) -> Result<(), BackplaneError> {
        let connection = self.0.calls.connection().await?;
        let mut command = redis::cmd("PUBLISH");
        let reply = connection
            .ask(command.arg(&*self.0.shared.keys.signals).arg(payload))
            .await;
        if reply.as_ref().is_err_and(error::ends_connection) {
            self.0.calls.discard(&connection).await;
        }
        reply.map(|_| ()).map_err(error::translate)
    }
}
