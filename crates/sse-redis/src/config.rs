//! How a log on Redis is set up.

use std::{fmt, time::Duration};

use sse_core::Retention;

/// How a log on Redis is set up. Nodes of one hub must have the same prefix, and should have the
/// same retention.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisConfig {
    /// What the names of all keys begin with, in braces; hubs with different ones share nothing.
    /// Default `sse`; 1 to 64 ASCII letters, digits, `:`, `.`, `_`, `-`.
    pub prefix: String,
    /// How much is kept, in about: Redis trims whole nodes of its tree by number (100 entries,
    /// unless it was told otherwise), and bytes are those that `MEMORY USAGE` tells, estimated by
    /// Redis itself. Ages are exact, by the clock of the server.
    pub retention: Retention,
    /// Whether an append is only acknowledged when replicas have it. Default no.
    pub replicas: Option<Replicas>,
    /// Bytes of one entry or signal at most. Default 1 MiB; Redis itself takes 512 MB.
    pub max_payload: usize,
    /// Appends under way at most, acknowledged ones not counted; further ones are refused as busy.
    /// Default 4,096. Together they hold no more than 64 MiB.
    pub pipeline: usize,
    /// How long a connection may take until it is ready to be used. Default 3 s.
    pub connect_timeout: Duration,
    /// How long an answer may take until the connection is given up. Default 2 s.
    pub response_timeout: Duration,
    /// Certificates, as PEM, of the authorities that may vouch for a server behind `rediss://`.
    /// Default those of the system.
    pub authorities: Option<Vec<u8>>,
    /// What a server behind `rediss://` is shown that wants to know who we are
    /// (`tls-auth-clients`). Default nothing.
    pub client_certificate: Option<ClientCertificate>,
}

/// A certificate of ours. Debug output shows no key.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, as PEM, and those between it and the authority that the server trusts.
    pub certificate: Vec<u8>,
    /// Its private key, as PEM: PKCS #8, PKCS #1 or SEC1, without a password.
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// How many replicas must have an entry before its append is acknowledged (`WAIT`).
///
/// A failover can still lose an acknowledged entry, to a replica that is none of these; then the
/// log gets a new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas {
    /// So many.
    pub count: u32,
    /// How long they may take; afterwards the append fails as unavailable. Below
    /// `response_timeout`.
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
    /// Names keys so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Keeps so much.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Acknowledges what replicas have.
    #[must_use]
    pub fn replicas(mut self, replicas: Replicas) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// Takes entries and signals of so many bytes.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Has so many appends under way.
    #[must_use]
    pub fn pipeline(mut self, appends: usize) -> Self {
        self.pipeline = appends;
        self
    }

    /// Waits so long for a connection.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Waits so long for an answer.
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

    /// Shows servers this certificate, and proves with the key that it is ours; both as PEM.
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
