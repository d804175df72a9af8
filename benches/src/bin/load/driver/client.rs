//! Connections of HTTP/1.1 and HTTP/2, with TLS and without. They cost far more than those of
//! [`Receiver`](crate::driver::receiver::Receiver), but only the server is measured.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use crate::driver::identity::{Identity, NAME};

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    /// With prior knowledge (RFC 9113, 3.3) without TLS, negotiated with TLS.
    Http2,
}

impl Protocol {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// An open connection, served by its own task until it is closed.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Prefix of a request's target: empty with HTTP/1.1.
    origin: String,
    requests: Requests,
}

#[derive(Debug)]
enum Requests {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Connects, over TLS if the server has an identity.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, has another identity, or uses another protocol.
    pub(crate) async fn open(
        address: SocketAddr,
        protocol: Protocol,
        identity: Option<&Identity>,
    ) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await.context("connecting")?;
        socket.set_nodelay(true)?;
        let scheme = if identity.is_some() { "https" } else { "http" };
        let requests = match identity {
            None => Requests::over(TokioIo::new(socket), protocol).await?,
            Some(identity) => {
                let connector = identity.connector(protocol.name())?;
                let stream = connector
                    .connect(ServerName::try_from(NAME)?, socket)
                    .await
                    .context("TLS")?;
                Requests::over(TokioIo::new(stream), protocol).await?
            }
        };
        let origin = match protocol {
            Protocol::Http1 => String::new(),
            Protocol::Http2 => format!("{scheme}://{NAME}"),
        };
        Ok(Self { origin, requests })
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Response<Incoming>> {
        let request =
            Request::get(format!("{}{path}", self.origin)).header("accept", "text/event-stream");
        self.send(request.body(Full::default())?).await
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        json: String,
    ) -> anyhow::Result<Response<Incoming>> {
        let request = Request::post(format!("{}{path}", self.origin))
            .header("content-type", "application/json");
        self.send(request.body(Full::from(json))?).await
    }

    async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> anyhow::Result<Response<Incoming>> {
        let response = match &mut self.requests {
            Requests::Http1(requests) => {
                request
                    .headers_mut()
                    .insert(http::header::HOST, http::HeaderValue::from_static(NAME));
                requests.ready().await?;
                requests.send_request(request).await
            }
            Requests::Http2(requests) => requests.send_request(request).await,
        };
        response.context("a request")
    }
}

impl Requests {
    async fn over(
        io: impl Read + Write + Unpin + Send + 'static,
        protocol: Protocol,
    ) -> anyhow::Result<Self> {
        // Requests that wait for a response on the connection report how it ends.
        match protocol {
            Protocol::Http1 => {
                let (requests, connection) = http1::handshake(io).await.context("HTTP/1.1")?;
                tokio::spawn(connection);
                Ok(Self::Http1(requests))
            }
            Protocol::Http2 => {
                let (requests, connection) = http2::handshake(TokioExecutor::new(), io)
                    .await
                    .context("HTTP/2")?;
                tokio::spawn(connection);
                Ok(Self::Http2(requests))
            }
        }
    }
}
