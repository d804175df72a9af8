//! Streams over TLS.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{PrivatePkcs8KeyDer, ServerName},
};
use sse_core::{DisconnectReason, Event, Manager};
use sse_testkit::Decoder;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    app::{App, TIMEOUT},
    connection::Connection,
};

/// A certificate for `localhost`, and configurations that trust it.
pub(crate) struct Identity(CertifiedKey<rcgen::KeyPair>);

impl Identity {
    pub(crate) fn new() -> Self {
        Self(generate_simple_self_signed(["localhost".to_owned()]).unwrap())
    }

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(ring::default_provider())
    }

    pub(crate) fn server(&self) -> ServerConfig {
        let key = PrivatePkcs8KeyDer::from(self.0.signing_key.serialize_der());
        ServerConfig::builder_with_provider(Self::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.0.cert.der().clone()], key.into())
            .unwrap()
    }

    fn client_config(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.cert.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Self::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }

    fn name() -> ServerName<'static> {
        ServerName::try_from("localhost").unwrap()
    }

    /// A client without a connection.
    pub(crate) fn client(&self, protocols: &[&str]) -> ClientConnection {
        ClientConnection::new(self.client_config(protocols), Self::name()).unwrap()
    }

    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        protocols: &[&str],
    ) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(self.client_config(protocols));
        timeout(TIMEOUT, connector.connect(Self::name(), socket))
            .await
            .unwrap()
            .unwrap()
    }
}

async fn start(identity: &Identity) -> App {
    let config = Arc::new(identity.server());
    App::start_with(Manager::builder(), |serve| serve.tls(config)).await
}

fn agreed(stream: &TlsStream<TcpStream>) -> Option<&[u8]> {
    stream.get_ref().1.alpn_protocol()
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn negotiated_http_2_shares_one_connection() {
    let identity = Identity::new();
    let mut app = start(&identity).await;
    let socket = identity.connect(app.address, &["h2", "http/1.1"]).await;
    assert_eq!(agreed(&socket), Some(&b"h2"[..]));
    let (mut requests, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut streams = Vec::new();
    for _ in 0..20 {
        let request = Request::get("https://localhost/events").body(()).unwrap();
        let (answer, _) = requests.send_request(request, true).unwrap();
        let answer = timeout(TIMEOUT, answer).await.unwrap().unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        streams.push((answer.into_body(), Decoder::new()));
    }
    app.until(|app| app.manager.stats().total_connections == 20)
        .await;
    app.manager
        .all()
        .publish(Event::text("secret"))
        .await
        .unwrap();
    app.stop();
    for (body, decoder) in &mut streams {
        let mut events = Vec::new();
        while let Some(bytes) = timeout(TIMEOUT, body.data()).await.unwrap() {
            let bytes: Bytes = bytes.unwrap();
            body.flow_control().release_capacity(bytes.len()).unwrap();
            events.extend(decoder.feed(&bytes));
        }
        let types: Vec<_> = events.iter().map(|event| &*event.event_type).collect();
        assert_eq!(types, ["connection", "message", "system"]);
        assert_eq!(events[1].data, "secret");
    }
    drop((requests, streams));
    timeout(TIMEOUT, connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    app.stopped().await;
}

#[tokio::test]
async fn http_1_clients_are_served_with_and_without_alpn() {
    let identity = Identity::new();
    let app = start(&identity).await;
    for (offered, chosen) in [(&["http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)] {
        let socket = identity.connect(app.address, offered).await;
        assert_eq!(agreed(&socket), chosen);
        let mut connection = Connection::over(socket);
        connection.get("/ping").await;
        assert!(connection.head().await.starts_with("HTTP/1.1 200 "));
        assert_eq!(connection.exactly(4).await, b"pong");
        connection.get("/events").await;
        assert!(connection.head().await.contains("text/event-stream"));
    }
    assert_eq!(app.departures(2).await, [DisconnectReason::ClientLeft; 2]);
}

#[tokio::test]
async fn configured_protocols_are_respected() {
    let identity = Identity::new();
    let mut config = identity.server();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let app = App::start_with(Manager::builder(), |serve| serve.tls(Arc::new(config))).await;
    let socket = identity.connect(app.address, &["h2", "http/1.1"]).await;
    assert_eq!(agreed(&socket), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn missing_handshake_is_closed_and_blocks_nobody() {
    let identity = Identity::new();
    let config = Arc::new(identity.server());
    let app = App::start_with(Manager::builder(), |serve| {
        serve.tls(config).header_timeout(Duration::from_secs(5))
    })
    .await;
    let silent = Connection::open(app.address).await;
    let mut plain = Connection::open(app.address).await;
    plain.get("/ping").await;
    let mut served = Connection::over(identity.connect(app.address, &[]).await);
    served.get("/events").await;
    assert!(served.head().await.starts_with("HTTP/1.1 200 "));
    // The client receives an alert, and no response in plain text.
    let alert = plain.rest().await;
    assert!(
        !alert.starts_with(b"HTTP"),
        "{:?}",
        String::from_utf8_lossy(&alert)
    );
    assert_eq!(silent.rest().await, b"");
    assert_eq!(app.manager.stats().total_connections, 1);
}

#[tokio::test]
async fn blocked_client_is_reset() {
    let identity = Identity::new();
    let config = Arc::new(identity.server());
    let builder = Manager::builder()
        .queue(1 << 16, 1 << 30)
        .connection_timeout(Duration::from_secs(1));
    // With a user timeout as long as the manager's timeout, the system could be the first to detect
    // the client.
    let options = sse_hyper::SocketOptions::default();
    let app = App::start_narrow(builder, |serve| serve.tls(config).socket_options(options)).await;
    let mut socket = identity.connect(app.address, &[]).await;
    socket
        .write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    app.until(|app| app.manager.stats().total_connections == 1)
        .await;
    let large = Event::text("x".repeat(256 << 10));
    while app.manager.stats().total_connections == 1 {
        app.manager.all().publish(large.clone()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(app.departures(1).await, [DisconnectReason::Stalled]);
    app.until(|app| app.connections() == 0).await;
    drop(socket);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_handshake() {
    let identity = Identity::new();
    let mut app = start(&identity).await;
    let silent = Connection::open(app.address).await;
    app.until(|app| app.connections() == 1).await;
    app.stop();
    assert_eq!(silent.rest().await, b"");
    app.stopped().await;
}
