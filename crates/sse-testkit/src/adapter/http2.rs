//! An HTTP/2 client with prior knowledge (RFC 9113, section 3.3).

use std::{collections::VecDeque, net::SocketAddr};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{Builder, SendRequest},
};
use http::{Method, Request, response::Parts};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

use crate::adapter::running_app::TIMEOUT;
use crate::decoder::{Decoded, Decoder};

/// A connection, closed on drop.
#[derive(Debug)]
pub(crate) struct Http2 {
    requests: SendRequest<Bytes>,
    address: SocketAddr,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// One response on a connection.
#[derive(Debug)]
pub(crate) struct Http2Stream {
    pub(crate) head: Parts,
    body: RecvStream,
    request: SendStream<Bytes>,
    decoder: Decoder,
    events: VecDeque<Decoded>,
}

impl Http2 {
    /// Connects with this window for each stream, and a large window for the connection.
    pub(crate) async fn connect(address: SocketAddr, window: u32) -> Self {
        let socket = TcpStream::connect(address).await.expect("a connection");
        let mut builder = Builder::new();
        builder
            .initial_window_size(window)
            .initial_connection_window_size(1 << 24);
        let (requests, connection) = builder.handshake(socket).await.expect("an HTTP/2 server");
        Self {
            requests,
            address,
            connection: tokio::spawn(connection),
        }
    }

    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> Http2Stream {
        let uri = format!("http://{}{path}", self.address);
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .expect("a request");
        let ready = timeout(TIMEOUT, self.requests.clone().ready())
            .await
            .expect("room for a stream");
        let (answer, request) = ready
            .expect("room for a stream")
            .send_request(request, true)
            .expect("a request");
        let answer = timeout(TIMEOUT, answer)
            .await
            .expect("an answer")
            .expect("an answer");
        let (head, body) = answer.into_parts();
        Http2Stream {
            head,
            body,
            request,
            decoder: Decoder::new(),
            events: VecDeque::new(),
        }
    }

    pub(crate) async fn open(&mut self, path: &str) -> Http2Stream {
        let mut stream = self.ask(Method::GET, path).await;
        assert_eq!(stream.head.status, 200);
        assert_eq!(stream.next().await.event_type, "connection");
        stream
    }

    /// Waits until the server closes the connection regularly.
    pub(crate) async fn closed(self) {
        let end = timeout(TIMEOUT, self.connection)
            .await
            .expect("the connection is closed");
        end.expect("no panic")
            .expect("the connection is closed in order");
    }

    pub(crate) fn abort(self) {
        self.connection.abort();
    }
}

impl Http2Stream {
    /// Returns the next bytes and releases the same amount of window; `None` at the end of the
    /// stream.
    pub(crate) async fn bytes(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let data = timeout(TIMEOUT, self.body.data())
            .await
            .expect("data in time")?;
        if let Ok(bytes) = &data {
            self.body
                .flow_control()
                .release_capacity(bytes.len())
                .expect("room that was taken");
        }
        Some(data)
    }

    pub(crate) async fn next(&mut self) -> Decoded {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let bytes = self
                .bytes()
                .await
                .expect("an event before the end")
                .expect("an event");
            self.events.extend(self.decoder.feed(&bytes));
        }
    }

    pub(crate) async fn next_but_heartbeats(&mut self) -> Decoded {
        loop {
            let event = self.next().await;
            if event.event_type != "heartbeat" {
                return event;
            }
        }
    }

    /// Expects the end of the stream, without another event.
    pub(crate) async fn expect_end(&mut self) {
        assert!(self.events.is_empty(), "{:?}", self.events);
        while let Some(bytes) = self.bytes().await {
            let events = self.decoder.feed(&bytes.expect("a clean end"));
            assert!(events.is_empty(), "{events:?}");
        }
        assert!(!self.decoder.is_mid_block());
    }

    /// Resets the stream, and leaves the connection as it is.
    pub(crate) fn reset(mut self) {
        self.request.send_reset(Reason::CANCEL);
    }
}
