//! A connection whose first bytes were read already.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that first returns the bytes that were already read. The type is small, because
/// every connection has one.
#[derive(Debug)]
pub(crate) struct Rewind<I> {
    #[expect(
        clippy::box_collection,
        reason = "a word for the whole life of a connection, for bytes of its first moment"
    )]
    read: Option<Box<Vec<u8>>>,
    io: I,
}

impl<I> Rewind<I> {
    pub(crate) fn new(io: I, read: Vec<u8>) -> Self {
        Self {
            read: (!read.is_empty()).then(|| Box::new(read)),
            io,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Rewind<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut read) = self.read.take() else {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        };
        let fits = read.len().min(buffer.remaining());
        buffer.put_slice(&read[..fits]);
        if fits < read.len() {
            read.drain(..fits);
            self.read = Some(read);
            return Poll::Ready(Ok(()));
        }
        // The buffered bytes and the following bytes are returned in one read. For a second read,
        // hyper doubles its buffer, and keeps the buffer for the life of the connection.
        match Pin::new(&mut self.io).poll_read(cx, buffer) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Rewind<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn available_bytes_follow_in_the_same_read() {
        let mut buffer = [0; 64];
        let mut io = Rewind::new(&b"ET / HTTP/1.1"[..], b"G".to_vec());
        assert_eq!(io.read(&mut buffer).await.unwrap(), b"GET / HTTP/1.1".len());

        let (silent, _client) = tokio::io::duplex(64);
        let mut io = Rewind::new(silent, b"G".to_vec());
        assert_eq!(
            io.read(&mut buffer).await.unwrap(),
            1,
            "the read does not wait"
        );
    }

    #[tokio::test]
    async fn rewound_bytes_come_first_for_any_buffer() {
        for size in [1, 3, 64] {
            let mut io = Rewind::new(&b" and the rest"[..], b"the first".to_vec());
            let mut all = Vec::new();
            let mut buffer = vec![0; size];
            loop {
                let count = io.read(&mut buffer).await.unwrap();
                if count == 0 {
                    break;
                }
                all.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(all, b"the first and the rest");
        }
    }
}
