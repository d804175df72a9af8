//! A client's socket that can be broken off.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::{handoff::state::Read, serve::conn_state::ConnState};

/// A client's socket. When dropped after an abort, the socket sends RST, so that the kernel does
/// not keep bytes that a stalled client never takes.
///
/// hyper returns the socket of an upgradeable connection only to an upgrade. A reactor gets the
/// socket through the [`HandoffState`](crate::handoff::state::HandoffState), after hyper was
/// dropped.
#[derive(Debug)]
pub(crate) struct ClientSocket {
    /// `Some` until the drop.
    stream: Option<TcpStream>,
    conn_state: Arc<ConnState>,
}

impl ClientSocket {
    pub(crate) fn new(stream: TcpStream, conn_state: Arc<ConnState>) -> Self {
        Self {
            stream: Some(stream),
            conn_state,
        }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        if self.conn_state.is_aborted() {
            // If this call fails, the socket is closed in the ordinary way, and the user timeout
            // ends it.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        } else {
            self.conn_state.handoff().leave(stream);
        }
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.stream()?.poll_read(cx, buffer);
        match polled {
            Poll::Pending => self.conn_state.handoff().found(Read::Nothing),
            Poll::Ready(_) if buffer.filled().len() > before => {
                self.conn_state.handoff().found(Read::Something);
            }
            // The end, or an error: hyper closes the connection.
            Poll::Ready(_) => {}
        }
        polled
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write(cx, bytes);
        self.conn_state.set_blocked(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write_vectored(cx, bytes);
        self.conn_state.set_blocked(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.conn_state.handoff().flushes();
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
