//! A client on a bare socket.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::body::BodyFraming;
use crate::{
    decoder::{Decoded, Decoder, Item},
    end::End,
    error::Error,
    head::Head,
};

/// Maximum number of bytes of one head.
const HEAD_LIMIT: usize = 64 * 1024;

/// Number of bytes that one read asks for.
const READ_SIZE: usize = 8 * 1024;

/// The connection of one request. The client reads only when the test asks, so an idle client is a
/// stalled client.
///
/// A drop closes the connection. Every method that reads is cancel safe: bytes that were read are
/// kept for the next call. A cancelled [`send`](Self::send) can have sent a part of its bytes.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    method: String,
    unparsed: Vec<u8>,
    answer: Option<(Head, BodyFraming)>,
    was_reset: bool,
    end: Option<End>,
    decoder: Decoder,
    items: VecDeque<Item>,
}

impl RawClient {
    pub(crate) fn new(stream: TcpStream, method: String) -> Self {
        Self {
            stream,
            method,
            unparsed: Vec::new(),
            answer: None,
            was_reset: false,
            end: None,
            decoder: Decoder::new(),
            items: VecDeque::new(),
        }
    }

    /// Returns the head of the response, and reads it first if necessary.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the head is malformed, cut off or longer than 64 KiB,
    /// [`Error::Ended`] if the connection is reset before the head, [`Error::Io`] if reading fails
    /// in another way.
    pub async fn head(&mut self) -> Result<&Head, Error> {
        Ok(&self.answer().await?.0)
    }

    /// Returns the next event.
    ///
    /// # Errors
    ///
    /// [`Error::NotAStream`] if a browser would not read this response, [`Error::Ended`] at the
    /// end, and the errors of [`head`](Self::head) and [`next_bytes`](Self::next_bytes).
    pub async fn next_event(&mut self) -> Result<Decoded, Error> {
        loop {
            if let Item::Event(event) = self.next_item().await? {
                return Ok(event);
            }
        }
    }

    /// Returns the next event, unless it takes longer than `limit` to arrive.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], and the errors of [`next_event`](Self::next_event).
    pub async fn next_event_within(&mut self, limit: Duration) -> Result<Decoded, Error> {
        timeout(limit, self.next_event())
            .await
            .map_err(|_| Error::Timeout(limit))?
    }

    /// Returns the next event or comment.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub async fn next_item(&mut self) -> Result<Item, Error> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            self.head().await?.expect_stream()?;
            let Some(bytes) = self.next_bytes().await? else {
                return Err(self.ended());
            };
            self.items.extend(self.decoder.feed_items(&bytes));
        }
    }

    /// Returns the next bytes of the body, `None` at its end. These bytes bypass the decoder.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the framing is broken, [`Error::Io`] if reading fails other than by a
    /// reset, and the errors of [`head`](Self::head).
    pub async fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.answer().await?;
        while self.end.is_none() {
            let content = self.take_content()?;
            if !content.is_empty() {
                return Ok(Some(content));
            }
            if self.end.is_none() {
                self.end = self.read(READ_SIZE).await?;
            }
        }
        Ok(None)
    }

    /// Reads to the end of the stream, which must be clean, after a whole block, and without a
    /// further event.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] if an event comes first, [`Error::Ended`] if the end is not clean,
    /// [`Error::Protocol`] if the end is in the middle of a block.
    pub async fn expect_end(&mut self) -> Result<(), Error> {
        match self.next_event().await {
            Ok(event) => Err(Error::Unexpected(event)),
            Err(Error::Ended(end)) if end.is_clean() && self.decoder.is_mid_block() => Err(
                Error::Protocol("the stream ended in the middle of a block".into()),
            ),
            Err(Error::Ended(end)) if end.is_clean() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads to the end of the body, discards the content, and returns how the body ended.
    ///
    /// # Errors
    ///
    /// As [`next_bytes`](Self::next_bytes).
    pub async fn end(&mut self) -> Result<End, Error> {
        while self.next_bytes().await?.is_some() {}
        self.items.clear();
        Ok(self.end.unwrap_or(End::Cut))
    }

    /// Waits until the peer closes the connection after the end of the body. A connection that ends
    /// within the body counts as closed.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the peer sends anything more, and the errors of [`end`](Self::end).
    pub async fn expect_close(&mut self) -> Result<(), Error> {
        if self.end().await? != End::Complete {
            return Ok(());
        }
        while self.unparsed.is_empty() {
            if self.read(READ_SIZE).await?.is_some() {
                return Ok(());
            }
        }
        Err(Error::Protocol(format!(
            "{} bytes after the end of the body",
            self.unparsed.len()
        )))
    }

    /// Reads up to this many bytes from the socket, one at a time with a pause after each, and
    /// keeps them for the other methods. Returns the number of bytes read: fewer than requested
    /// only at the end of the connection.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if reading fails other than by a reset.
    pub async fn trickle(&mut self, bytes: usize, pause: Duration) -> Result<usize, Error> {
        for count in 0..bytes {
            if self.read(1).await?.is_some() {
                return Ok(count);
            }
            sleep(pause).await;
        }
        Ok(bytes)
    }

    /// Sends further bytes, as a client that pipelines does.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if writing fails.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Closes the sending half (FIN). Reads continue to work.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the socket refuses.
    pub async fn half_close(&mut self) -> Result<(), Error> {
        Ok(self.stream.shutdown().await?)
    }

    /// Closes the connection with a reset (RST).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the socket refuses.
    pub fn reset(self) -> Result<(), Error> {
        Ok(self.stream.set_zero_linger()?)
    }

    /// Returns the decoder: last event id, reconnection time, comments.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Returns the local address of the connection.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the socket has no address.
    pub fn local_address(&self) -> Result<SocketAddr, Error> {
        Ok(self.stream.local_addr()?)
    }

    async fn answer(&mut self) -> Result<&mut (Head, BodyFraming), Error> {
        while self.answer.is_none() {
            if let Some(head) = self.take_head()? {
                let body = BodyFraming::of(&self.method, &head)?;
                self.answer = Some((head, body));
            } else if let Some(end) = self.read(READ_SIZE).await? {
                return Err(without_head(end));
            }
        }
        self.answer.as_mut().ok_or_else(|| without_head(End::Cut))
    }

    /// Takes a final head off the bytes that were read, and any interim responses before it.
    fn take_head(&mut self) -> Result<Option<Head>, Error> {
        while let Some(length) = self
            .unparsed
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
        {
            let head = Head::parse(&self.unparsed[..length])?;
            self.unparsed.drain(..length + 4);
            if head.status >= 200 || head.status == 101 {
                return Ok(Some(head));
            }
        }
        if self.unparsed.len() > HEAD_LIMIT {
            return Err(Error::Protocol(format!(
                "a head of more than {HEAD_LIMIT} bytes"
            )));
        }
        Ok(None)
    }

    /// Takes content off the bytes that were read, and records the end if it was reached.
    fn take_content(&mut self) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        let Some((_, body)) = &mut self.answer else {
            return Ok(content);
        };
        let used = body.feed(&self.unparsed, &mut content)?;
        self.unparsed.drain(..used);
        if body.is_complete() {
            self.end = Some(End::Complete);
        }
        Ok(content)
    }

    /// Reads once. Returns the end of the connection as the end of the response that it implies.
    async fn read(&mut self, limit: usize) -> io::Result<Option<End>> {
        loop {
            self.stream.readable().await?;
            // Outside of the future, so that ten thousand waiting clients are not ten thousand
            // buffers.
            let mut bytes = [0; READ_SIZE];
            match self.stream.try_read(&mut bytes[..limit]) {
                Ok(0) => return Ok(Some(self.end_at_close())),
                Ok(count) => {
                    self.unparsed.extend_from_slice(&bytes[..count]);
                    return Ok(None);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => self.was_reset = true,
                Err(error) => return Err(error),
            }
        }
    }

    fn end_at_close(&self) -> End {
        match &self.answer {
            // The system reports a reset once; every later read returns only the end.
            _ if self.was_reset => End::Reset,
            Some((_, body)) => body.end_at_close(),
            None => End::Cut,
        }
    }

    fn ended(&self) -> Error {
        Error::Ended(self.end.unwrap_or(End::Cut))
    }
}

fn without_head(end: End) -> Error {
    match end {
        End::Reset => Error::Ended(end),
        _ => Error::Protocol("the connection was closed before the end of the head".into()),
    }
}
