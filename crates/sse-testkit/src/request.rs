//! Requests, down to their bytes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::{client::RawClient, error::Error};

/// The version of HTTP that a request names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

impl HttpVersion {
    fn text(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// A request on its own connection, sent exactly as the test specifies: nothing is checked.
///
/// `Host` is added unless a header of that name is given.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `send` or `open`"]
pub struct RawRequest {
    address: SocketAddr,
    method: String,
    path: String,
    version: HttpVersion,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    padded_to: usize,
    body: Vec<u8>,
    source: Option<IpAddr>,
    receive_buffer: Option<u32>,
    pace: Option<Duration>,
}

impl RawRequest {
    /// Creates a request without any header.
    pub fn new(address: SocketAddr, method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            address,
            method: method.into(),
            path: path.into(),
            version: HttpVersion::default(),
            headers: Vec::new(),
            padded_to: 0,
            body: Vec::new(),
            source: None,
            receive_buffer: None,
            pace: None,
        }
    }

    /// Creates a `GET` for an event stream, with the `Accept` that browsers send.
    pub fn get(address: SocketAddr, path: impl Into<String>) -> Self {
        Self::new(address, "GET", path).header("Accept", "text/event-stream")
    }

    /// Sets the HTTP version in the request, HTTP/1.1 by default.
    pub fn version(mut self, version: HttpVersion) -> Self {
        self.version = version;
        self
    }

    /// Adds a header field, after those with the same name.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Pads the head to at least this length with an `X-Padding` field. The length is exact if the
    /// field's own 13 bytes fit in.
    pub fn padded_to(mut self, bytes: usize) -> Self {
        self.padded_to = bytes;
        self
    }

    /// Sets the bytes to send after the head, in one write with it: a body (without an automatic
    /// `Content-Length`), or anything that a client should not send.
    pub fn body(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body = bytes.as_ref().to_vec();
        self
    }

    /// Sets the address to connect from.
    pub fn source(mut self, address: IpAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// Sets the size of the socket's receive buffer (`SO_RCVBUF`; Linux doubles it), so that a
    /// server notices after few bytes that the client does not read.
    pub fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Sends the request one byte at a time, with this pause after each.
    pub fn trickle(mut self, pause: Duration) -> Self {
        self.pace = Some(pause);
        self
    }

    /// Connects and sends the request. Nothing is read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the client cannot connect or send.
    pub async fn send(self) -> Result<RawClient, Error> {
        let mut stream = self.connect().await?;
        self.write(&mut stream).await?;
        Ok(RawClient::new(stream, self.method))
    }

    /// Connects, sends the request and reads the head of the response. A server may respond and
    /// close before it has read the whole request; its response is read in that case as well.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the connection fails, and the errors of [`RawClient::head`].
    pub async fn open(self) -> Result<RawClient, Error> {
        let mut stream = self.connect().await?;
        let written = self.write(&mut stream).await;
        let mut client = RawClient::new(stream, self.method);
        match (written, client.head().await) {
            (_, Ok(_)) => Ok(client),
            (Ok(()), Err(error)) => Err(error),
            (Err(error), Err(_)) => Err(error.into()),
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // Before the connect: the window announced to the peer derives from the buffer size.
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(source) = self.source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.set_nodelay(true)?;
        socket.connect(self.address).await
    }

    async fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        let Some(pause) = self.pace else {
            return stream.write_all(&bytes).await;
        };
        for byte in bytes {
            stream.write_u8(byte).await?;
            sleep(pause).await;
        }
        Ok(())
    }

    fn head(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} {}\r\n", self.method, self.path, self.version.text()).into_bytes();
        if !self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(b"host"))
        {
            push_field(&mut head, b"Host", self.address.to_string().as_bytes());
        }
        for (name, value) in &self.headers {
            push_field(&mut head, name, value);
        }
        if head.len() + 2 < self.padded_to {
            let filler = self
                .padded_to
                .saturating_sub(head.len() + 2 + "X-Padding: \r\n".len());
            push_field(&mut head, b"X-Padding", &vec![b'x'; filler]);
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn push_field(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80);

    fn text(request: &RawRequest) -> String {
        String::from_utf8(request.head()).unwrap()
    }

    #[test]
    fn head_has_the_requested_fields() {
        let request = RawRequest::get(ADDRESS, "/api/sse?topics=a")
            .version(HttpVersion::Http10)
            .header("a", "b");
        assert_eq!(
            text(&request),
            "GET /api/sse?topics=a HTTP/1.0\r\nHost: 127.0.0.1:80\r\nAccept: text/event-stream\r\na: b\r\n\r\n"
        );
        let request = RawRequest::new(ADDRESS, "POST", "/").header("HOST", "example.org");
        assert_eq!(
            text(&request),
            "POST / HTTP/1.1\r\nHOST: example.org\r\n\r\n"
        );
    }

    #[test]
    fn padding_sets_the_length_of_the_head() {
        let request = RawRequest::get(ADDRESS, "/").header("Last-Event-ID", "ü");
        let bare = request.head().len();
        for bytes in [bare + 13, bare + 14, 12 * 1024] {
            assert_eq!(request.clone().padded_to(bytes).head().len(), bytes);
        }
        assert_eq!(
            request.clone().padded_to(bare + 1).head().len(),
            bare + 13,
            "the smallest possible size"
        );
        assert_eq!(request.padded_to(bare).head().len(), bare, "long enough");
    }

    #[tokio::test]
    async fn the_receive_buffer_is_set() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let request = RawRequest::get(listener.local_addr().unwrap(), "/");
        let size = async |request: RawRequest| {
            let stream = request.connect().await.unwrap();
            socket2::SockRef::from(&stream).recv_buffer_size().unwrap()
        };
        assert!(size(request.clone().receive_buffer(4096)).await <= 2 * 4096);
        assert!(size(request).await > 2 * 4096);
    }
}
