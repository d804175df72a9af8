//! Connects to an address, with TLS or without, and logs in.

use std::{io, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, RedisError,
    aio::{AsyncPushSender, MultiplexedConnection},
};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, task::AbortHandle};
use tokio_rustls::TlsConnector;

use crate::connection::{
    address::Address,
    socket::{AnySocket, SharedSocket},
};

/// Connects to servers, all with TLS or all without.
pub(crate) struct Connector {
    pub(crate) tls: Option<TlsConnector>,
}

/// The task that runs a connection; dropping it ends the connection.
#[derive(Debug)]
pub(crate) struct ConnectionTask(AbortHandle);

/// The purpose of a connection.
#[derive(Clone)]
pub(crate) enum Purpose {
    /// Commands and their replies.
    Questions,
    /// Pushed messages, and the receiver of them.
    Messages(Arc<dyn AsyncPushSender>),
}

/// A connection after the login.
pub(crate) struct Connected {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) driver: ConnectionTask,
    /// The transport of the connection.
    pub(crate) socket: SharedSocket,
}

struct Pushes(Arc<dyn AsyncPushSender>);

impl AsyncPushSender for Pushes {
    fn send(&self, info: redis::PushInfo) -> Result<(), redis::aio::SendError> {
        self.0.send(info)
    }
}

/// Interval of keepalive probes on a quiet connection, so that a dead connection is found before it
/// is needed.
const KEEPALIVE: Duration = Duration::from_secs(15);

impl Connector {
    /// Connects and logs in. Has no time limit of its own.
    pub(crate) async fn log_in(
        &self,
        address: &Address,
        login: &RedisConnectionInfo,
        purpose: &Purpose,
        response_timeout: Duration,
    ) -> Result<Connected, RedisError> {
        let socket = SharedSocket::new(self.open(address).await?);
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(response_timeout));
        let (protocol, config) = match purpose {
            Purpose::Questions => (ProtocolVersion::RESP2, config),
            Purpose::Messages(sender) => (
                ProtocolVersion::RESP3,
                config.set_push_sender(Pushes(Arc::clone(sender))),
            ),
        };
        let login = login.clone().set_protocol(protocol);
        let (connection, run) =
            MultiplexedConnection::new_with_config(&login, socket.clone(), config).await?;
        Ok(Connected {
            connection,
            driver: ConnectionTask(tokio::spawn(run).abort_handle()),
            socket,
        })
    }

    async fn open(&self, address: &Address) -> Result<Box<dyn AnySocket>, RedisError> {
        match address {
            Address::Tcp { host, port } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                socket.set_nodelay(true)?;
                let keepalive = TcpKeepalive::new()
                    .with_time(KEEPALIVE)
                    .with_interval(KEEPALIVE / 3);
                SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
                let Some(tls) = &self.tls else {
                    return Ok(Box::new(socket));
                };
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

impl ConnectionTask {
    /// Returns `true` if the connection has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
