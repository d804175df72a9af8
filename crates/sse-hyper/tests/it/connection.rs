//! One connection with one request after the other, down to its bytes.

use std::net::SocketAddr;

use sse_testkit::{Dechunker, Decoded, Decoder};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::app::TIMEOUT;

pub(crate) struct Connection<I = TcpStream> {
    stream: I,
    unparsed: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Connection<I> {
    pub(crate) fn over(stream: I) -> Self {
        Self {
            stream,
            unparsed: Vec::new(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
            .await;
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads the head of the next response, with the empty line at its end.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = self
                .unparsed
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                return String::from_utf8(self.unparsed.drain(..at + 4).collect()).unwrap();
            }
            assert!(
                self.read().await,
                "the end, after {:?}",
                String::from_utf8_lossy(&self.unparsed)
            );
        }
    }

    pub(crate) async fn exactly(&mut self, bytes: usize) -> Vec<u8> {
        while self.unparsed.len() < bytes {
            assert!(
                self.read().await,
                "the end, after {:?}",
                String::from_utf8_lossy(&self.unparsed)
            );
        }
        self.unparsed.drain(..bytes).collect()
    }

    /// Reads the events of a chunked body to the end of the body.
    pub(crate) async fn events(&mut self) -> Vec<Decoded> {
        let (mut chunks, mut decoder) = (Dechunker::new(), Decoder::new());
        let mut events = Vec::new();
        while !chunks.is_complete() {
            if self.unparsed.is_empty() {
                assert!(self.read().await, "the end, in a body");
            }
            let mut content = Vec::new();
            let used = chunks.feed(&self.unparsed, &mut content).unwrap();
            self.unparsed.drain(..used);
            events.extend(decoder.feed(&content));
        }
        assert!(!decoder.is_mid_block());
        events
    }

    /// Reads the remaining bytes until the connection ends without a reset.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        while self.read().await {}
        self.unparsed
    }

    async fn read(&mut self) -> bool {
        timeout(TIMEOUT, self.stream.read_buf(&mut self.unparsed))
            .await
            .unwrap()
            .unwrap()
            > 0
    }
}
