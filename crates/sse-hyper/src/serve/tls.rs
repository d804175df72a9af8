//! TLS in front of a connection.

use std::{io, sync::Arc};

use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

use crate::serve::{client_socket::ClientSocket, protocol::Protocol};

/// Creates an acceptor that offers the protocols of the server, unless the configuration names
/// protocols.
pub(crate) fn acceptor(config: Arc<ServerConfig>) -> TlsAcceptor {
    if !config.alpn_protocols.is_empty() {
        return config.into();
    }
    let mut config = ServerConfig::clone(&config);
    #[cfg(feature = "http2")]
    config.alpn_protocols.push(b"h2".to_vec());
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Arc::new(config).into()
}

/// Performs the handshake. Returns the connection, and the protocol if one was negotiated.
pub(crate) async fn shake_hands(
    acceptor: &TlsAcceptor,
    socket: ClientSocket,
) -> io::Result<(TlsStream<ClientSocket>, Option<Protocol>)> {
    let stream = acceptor.accept(socket).await?;
    let agreed = match stream.get_ref().1.alpn_protocol() {
        #[cfg(feature = "http2")]
        Some(b"h2") => Some(Protocol::Http2),
        Some(_) => Some(Protocol::Http1),
        None => None,
    };
    Ok((stream, agreed))
}
