//! The transport of a connection.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket of any kind, with TLS or without.
pub(crate) trait AnySocket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AnySocket for S {}

/// A socket that is lent to the driver, and that can be taken back.
#[derive(Clone)]
pub(crate) struct SharedSocket(Arc<Mutex<Option<Box<dyn AnySocket>>>>);

impl SharedSocket {
    pub(crate) fn new(socket: Box<dyn AnySocket>) -> Self {
        Self(Arc::new(Mutex::new(Some(socket))))
    }

    /// Takes the socket back. For the borrower, the socket is closed from then on.
    ///
    /// Nothing must be in flight on the socket: bytes that the driver has read are lost.
    pub(crate) fn take(&self) -> Option<Box<dyn AnySocket>> {
        self.0.lock().take()
    }

    fn poll<T>(
        &self,
        act: impl FnOnce(Pin<&mut dyn AnySocket>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.0.lock() {
            Some(socket) => act(Pin::new(&mut **socket)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for SharedSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(|socket| socket.poll_read(cx, buffer))
    }
}

impl AsyncWrite for SharedSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(|socket| socket.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|socket| socket.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|socket| socket.poll_shutdown(cx))
    }
}
