//! Configuration of a log on Redis.

use std::{fmt, time::Duration};

use sse_core::Retention;

/// Configuration of a log on Redis. Nodes of one hub must have the same prefix, and should have the
/// same retention.
///
/// ```
/// use std::time::Duration;
///
/// use sse_core::Retention;
/// use sse_redis::{RedisConfig, Replicas};
///
/// let within = Duration::from_millis(500);
/// let config = RedisConfig::default()
///     .prefix("shop")
///     .retention(Retention::default().entries(1_000_000))
///     .replicas(Replicas { count: 1, within });
/// assert_eq!(config.prefix, "shop");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisConfig {
    /// Prefix of all key names, where it stands in braces. Hubs with different prefixes share
    /// nothing. Default `sse`; 1 to 64 ASCII letters, digits, `:`, `.`, `_`, `-`.
    pub prefix: String,
    /// Approximate retention of the log. Redis trims by number in whole nodes of its tree (100
    /// entries, unless `stream-node-max-entries` differs). Bytes are those that `MEMORY USAGE`
    /// returns, which Redis estimates. Ages are exact to a second, by the clock of the server.
    pub retention: Retention,
    /// Replicas that must have an entry before its append is acknowledged. Default none.
    pub replicas: Option<Replicas>,
    /// Maximum number of bytes of one entry or signal. A larger one fails with
    /// [`TooLarge`](sse_core::backplane::BackplaneError::TooLarge). Default 1 MiB; Redis itself
    /// accepts 512 MB.
    pub max_payload: usize,
    /// Maximum number of appends that wait for their acknowledgement, with payloads of 64 MiB in
    /// total. A further append fails with [`Busy`](sse_core::backplane::BackplaneError::Busy).
    /// Default 4,096.
    pub pipeline: usize,
    /// Timeout for a connection to become ready for use. Default 3 s.
    pub connect_timeout: Duration,
    /// Timeout for a reply, after which the connection is closed. Default 2 s.
    pub response_timeout: Duration,
    /// Certificates, as PEM, of the authorities that are trusted to certify a `rediss://` server.
    /// Default those of the system. A URL without TLS is rejected if authorities are set.
    pub authorities: Option<Vec<u8>>,
    /// Certificate for a `rediss://` server that requires one of its clients (`tls-auth-clients`).
    /// Default none. A URL without TLS is rejected if a certificate is set.
    pub client_certificate: Option<ClientCertificate>,
}

/// A client certificate. Debug output shows no key.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate as PEM, followed by the intermediate certificates up to the authority that
    /// the server trusts.
    pub certificate: Vec<u8>,
    /// The private key of the certificate, as PEM: PKCS #8, PKCS #1 or SEC1, without a password.
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// Replicas that must have an entry before its append is acknowledged (`WAIT`).
///
/// A failover to any other replica can still lose an acknowledged entry; the log then gets a new
/// epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas {
    /// Number of replicas.
    pub count: u32,
    /// Timeout for the replicas, after which the append fails as unavailable although the primary
    /// has the entry. Must be shorter than `response_timeout`.
    pub within: Duration,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            prefix: "sse".to_owned(),
            retention: Retention::default(),
            replicas: None,
            max_payload: 1 << 20,
            pipeline: 4096,
            connect_timeout: Duration::from_secs(3),
            response_timeout: Duration::from_secs(2),
            authorities: None,
            client_certificate: None,
        }
    }
}

impl RedisConfig {
    /// Sets the prefix of all keys.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the retention.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the replicas that must have an entry before its append is acknowledged.
    #[must_use]
    pub fn replicas(mut self, replicas: Replicas) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// Sets the maximum number of bytes of an entry or signal.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Sets the maximum number of appends in flight.
    #[must_use]
    pub fn pipeline(mut self, appends: usize) -> Self {
        self.pipeline = appends;
        self
    }

    /// Sets the timeout for a connection.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the timeout for a reply.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Trusts these authorities, as PEM, and no others.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// Presents this certificate to servers, and proves its ownership with the key; both as PEM.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.client_certificate = Some(ClientCertificate {
            certificate: certificate.into(),
            key: key.into(),
        });
        self
    }
}
