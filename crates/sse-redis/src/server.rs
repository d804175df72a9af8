//! Where the server is, and how it is talked to.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisError,
    aio::{AsyncPushSender, MultiplexedConnection},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use socket2::{SockRef, TcpKeepalive};
use sse_core::BackplaneError;
use tokio::{net::TcpStream, task::AbortHandle};
use tokio_rustls::TlsConnector;

use crate::socket::{Lent, Socket};

/// A server, and who we are to it. Shows no password.
pub(crate) struct Server {
    pub(crate) address: Address,
    tls: Option<TlsConnector>,
    login: RedisConnectionInfo,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// Runs a connection; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Driver(AbortHandle);

/// What a connection is for.
#[derive(Clone)]
pub(crate) enum Purpose {
    /// Questions and their answers.
    Questions,
    /// Messages that are no answers, and where they go.
    Messages(Arc<dyn AsyncPushSender>),
}

/// A connection that was logged in.
pub(crate) struct Connected {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) driver: Driver,
    /// What it runs over.
    pub(crate) socket: Lent,
}

struct Pushes(Arc<dyn AsyncPushSender>);

impl AsyncPushSender for Pushes {
    fn send(&self, info: redis::PushInfo) -> Result<(), redis::aio::SendError> {
        self.0.send(info)
    }
}

/// A quiet connection is looked after this often, so that one which is dead is found before it is needed.
const KEEPALIVE: Duration = Duration::from_secs(15);

impl Server {
    /// Reads a URL; see [`RedisBackplane::connect`](crate::RedisBackplane::connect).
    pub(crate) fn parse(url: &str, authorities: Option<&[u8]>) -> Result<Self, BackplaneError> {
        let (plain, secure) = without_tls(url);
        if secure && url.contains('#') {
            return Err(BackplaneError::refused(
                "a URL of Redis with a fragment: certificates are always verified",
            ));
        }
        let info = plain.into_connection_info().map_err(|error| unusable(&error))?;
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Address::Tcp { host: host.clone(), port: *port },
            ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
            _ => return Err(BackplaneError::refused("a URL of Redis of an unknown kind")),
        };
        let tls = if secure { Some(connector(authorities)?) } else { None };
        Ok(Self { address, tls, login: info.redis_settings().clone() })
    }

    pub(crate) fn database(&self) -> i64 {
        self.login.db()
    }

    /// Connects and logs in. Has no time limit of its own.
    pub(crate) async fn connect(
        &self,
        address: &Address,
        purpose: &Purpose,
        response_timeout: Duration,
    ) -> Result<Connected, RedisError> {
        let socket = Lent::new(self.open(address).await?);
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(response_timeout));
        let (protocol, config) = match purpose {
            Purpose::Questions => (ProtocolVersion::RESP2, config),
            Purpose::Messages(sender) => {
                (ProtocolVersion::RESP3, config.set_push_sender(Pushes(Arc::clone(sender))))
            }
        };
        let login = self.login.clone().set_protocol(protocol);
        let (connection, run) =
            MultiplexedConnection::new_with_config(&login, socket.clone(), config).await?;
        Ok(Connected { connection, driver: Driver(tokio::spawn(run).abort_handle()), socket })
    }

    async fn open(&self, address: &Address) -> Result<Box<dyn Socket>, RedisError> {
        match address {
            Address::Tcp { host, port } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                socket.set_nodelay(true)?;
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
                SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
                let Some(tls) = &self.tls else { return Ok(Box::new(socket)) };
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Ok(Box::new(tls.connect(name, socket).await?))
            }
            #[cfg(unix)]
            Address::Unix(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        }
    }
}

impl Driver {
    /// Whether the connection is over.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Address {
    /// Where a server of a cluster says that our keys are: `host:port`, and no host for its own.
    pub(crate) fn moved_to(&self, node: &str) -> Option<Self> {
        let (host, port) = node.rsplit_once(':')?;
        let port = port.parse().ok()?;
        match self {
            Self::Tcp { host: own, .. } if host.is_empty() => Some(Self::Tcp { host: own.clone(), port }),
            _ => Some(Self::Tcp { host: host.trim_matches(['[', ']']).to_owned(), port }),
        }
    }
}

/// The URL for a connection without TLS, and whether it asks for one with it. The driver's own TLS takes whatever provider of cryptography
/// the process has, and panics where that is ambiguous.
fn without_tls(url: &str) -> (String, bool) {
    for (secure, plain) in [("rediss://", "redis://"), ("valkeys://", "valkey://")] {
        if let Some(rest) = url.strip_prefix(secure) {
            return (format!("{plain}{rest}"), true);
        }
    }
    (url.to_owned(), false)
}

fn unusable(error: &RedisError) -> BackplaneError {
    // What the driver says of a URL names its parts, and never the password.
    BackplaneError::refused(format!("a URL of Redis that cannot be used: {}", error.category()))
}

fn connector(authorities: Option<&[u8]>) -> Result<TlsConnector, BackplaneError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(BackplaneError::refused(
            "no certificate of an authority to verify the server of Redis with",
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| unreadable(&error))?.with_root_certificates(roots);
    Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
}

fn unreadable(error: &dyn std::error::Error) -> BackplaneError {
    BackplaneError::refused(format!("certificates of authorities that cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let server = Server::parse("redis://user:p%40ss@example.org:7000/3", None).unwrap();
        assert_eq!(server.address, Address::Tcp { host: "example.org".to_owned(), port: 7000 });
        assert_eq!((server.database(), server.login.password()), (3, Some("p@ss")));
        assert!(server.tls.is_none());
        let server = Server::parse("unix:///run/redis.sock", None).unwrap();
        assert_eq!(server.address, Address::Unix("/run/redis.sock".into()));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_its_password() {
        for url in [
            "",
            "http://:secret@example.org",
            "redis://:secret@",
            "redis://:secret@example.org/x",
            "rediss://:secret@example.org/#insecure",
            "redis://:secret@0.0.0.0",
        ] {
            let error = Server::parse(url, None).err().unwrap();
            assert!(matches!(error, BackplaneError::Refused { .. }), "{url}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn authorities_must_be_certificates() {
        for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Server::parse("rediss://localhost", Some(pem.as_bytes())).is_err(), "{pem}");
        }
    }

    #[test]
    fn a_cluster_names_its_nodes() {
        let own = Address::Tcp { host: "a".to_owned(), port: 1 };
        let tcp = |host: &str, port| Some(Address::Tcp { host: host.to_owned(), port });
        assert_eq!(own.moved_to("127.0.0.1:7001"), tcp("127.0.0.1", 7001));
        assert_eq!(own.moved_to("::1:7001"), tcp("::1", 7001));
        assert_eq!(own.moved_to(":7001"), tcp("a", 7001));
        assert_eq!(own.moved_to("nowhere"), None);
    }
}
