//! Configuration of a log on NATS.

use std::{fmt, path::PathBuf, time::Duration};

use sse_core::Retention;

/// Configuration of a log on NATS: names, retention, durability and credentials.
///
/// Debug output shows no secret.
///
/// ```
/// use sse_core::Retention;
/// use sse_nats::{NatsConfig, Storage};
///
/// let config = NatsConfig::default()
///     .prefix("shop")
///     .retention(Retention::default().entries(1_000_000))
///     .storage(Storage::File)
///     .replicas(3);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NatsConfig {
    pub(crate) prefix: String,
    pub(crate) retention: Retention,
    pub(crate) storage: Storage,
    pub(crate) replicas: u8,
    pub(crate) appends_under_way: usize,
    pub(crate) domain: Option<String>,
    pub(crate) credentials: Option<NatsCredentials>,
    pub(crate) tls: NatsTls,
}

/// The storage of the log on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// The log is in files.
    #[default]
    File,
    /// The log is in memory and is lost when the server ends. Clients are notified of the loss.
    Memory,
}

/// The credentials for the server.
#[derive(Clone)]
pub(crate) enum NatsCredentials {
    Password { user: String, password: String },
    Token(String),
    Nkey(String),
    File(PathBuf),
    Text(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct NatsTls {
    pub(crate) required: bool,
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl fmt::Debug for NatsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(..)",
            Self::Token(_) => "Token(..)",
            Self::Nkey(_) => "Nkey(..)",
            Self::File(_) => "File(..)",
            Self::Text(_) => "Text(..)",
        })
    }
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            prefix: "sse".to_owned(),
            retention: Retention::default(),
            storage: Storage::default(),
            replicas: 1,
            appends_under_way: 4096,
            domain: None,
            credentials: None,
            tls: NatsTls::default(),
        }
    }
}

impl NatsConfig {
    /// Returns the problem of a number that is out of range.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let Retention {
            entries,
            bytes,
            age,
            ..
        } = self.retention;
        let fits = [
            (
                (1..=100_000_000).contains(&entries),
                "retention.entries must be 1 to 100,000,000",
            ),
            (
                (1 << 10..=1 << 40).contains(&bytes),
                "retention.bytes must be 1 KiB to 1 TiB",
            ),
            (
                (SECOND..=10 * YEAR).contains(&age),
                "retention.age must be 1 s to 10 years",
            ),
            ((1..=5).contains(&self.replicas), "replicas must be 1 to 5"),
            (
                (1..=100_000).contains(&self.appends_under_way),
                "appends_under_way must be 1 to 100,000",
            ),
        ];
        fits.into_iter()
            .find(|(fits, _)| !fits)
            .map(|(_, problem)| problem)
    }

    /// Sets the prefix of all subjects and of the names of the streams. `sse.hub` has the subjects
    /// `sse.hub.log.*`, `sse.hub.state.>` and `sse.hub.signal`, and the streams `sse_hub_log` and
    /// `sse_hub_state`. Nodes with the same prefix share a log. Default `sse`; 1 to 64 ASCII
    /// letters, digits, `-`, `_`, with dots between.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the retention of the log: 1 to 100,000,000 entries, 1 KiB to 1 TiB, and 1 s to 10
    /// years. The server counts bytes as it stores them, with headers.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the storage of the log. Default: files. The storage of an existing log cannot be
    /// changed.
    #[must_use]
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// Sets the number of servers of a cluster that store the log. An append is acknowledged when a
    /// majority of them has the entry. Default 1; 1 to 5.
    #[must_use]
    pub fn replicas(mut self, replicas: u8) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets the maximum number of appends that wait for their acknowledgement, with payloads of 64
    /// MiB in total. A further append fails with
    /// [`Busy`](sse_core::backplane::BackplaneError::Busy). Default 4,096; 1 to 100,000.
    #[must_use]
    pub fn appends_under_way(mut self, appends: usize) -> Self {
        self.appends_under_way = appends;
        self
    }

    /// Sets the JetStream domain, for logs that are reached through a leaf node. Default: the
    /// domain of the server to which the node connects.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sets a user and its password. Credentials that are set by this method or the following ones
    /// replace those of the URL; the last call counts.
    #[must_use]
    pub fn password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(NatsCredentials::Password {
            user: user.into(),
            password: password.into(),
        });
        self
    }

    /// Sets a token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.credentials = Some(NatsCredentials::Token(token.into()));
        self
    }

    /// Sets an NKey seed: `SU…`.
    #[must_use]
    pub fn nkey(mut self, seed: impl Into<String>) -> Self {
        self.credentials = Some(NatsCredentials::Nkey(seed.into()));
        self
    }

    /// Sets a credentials file with a JWT and an NKey seed, as `nsc` writes it.
    #[must_use]
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.credentials = Some(NatsCredentials::File(path.into()));
        self
    }

    /// Sets the content of a credentials file.
    #[must_use]
    pub fn credentials(mut self, text: impl Into<String>) -> Self {
        self.credentials = Some(NatsCredentials::Text(text.into()));
        self
    }

    /// Rejects servers without TLS, as a `tls://` URL does. Otherwise TLS is used with servers that
    /// request it.
    #[must_use]
    pub fn require_tls(mut self) -> Self {
        self.tls.required = true;
        self
    }

    /// Trusts certificates in a PEM file instead of those that the system trusts. Can be set
    /// several times.
    #[must_use]
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.roots.push(path.into());
        self
    }

    /// Presents a certificate to the server: PEM files with the certificate and with its key.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls.client = Some((certificate.into(), key.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_named() {
        let config = NatsConfig::default;
        assert_eq!(config().problem(), None);
        assert!(
            config()
                .retention(Retention::default().entries(0))
                .problem()
                .is_some()
        );
        assert!(
            config()
                .retention(Retention::default().bytes(0))
                .problem()
                .is_some()
        );
        assert!(
            config()
                .retention(Retention::default().age(Duration::ZERO))
                .problem()
                .is_some()
        );
        assert!(config().replicas(0).problem().is_some());
        assert!(config().appends_under_way(0).problem().is_some());
    }

    #[test]
    fn debug_output_has_no_secret() {
        let config = NatsConfig::default;
        for config in [
            config().password("user", "hunter2"),
            config().token("hunter2"),
            config().nkey("hunter2"),
            config().credentials("hunter2"),
        ] {
            assert!(!format!("{config:?}").contains("hunter2"));
        }
    }
}
