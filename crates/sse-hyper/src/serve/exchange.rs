//! A request and its response.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use sse_core::{Closed, DisconnectReason};

use crate::serve::conn_state::ConnState;

/// Maximum number of bytes of a response that hyper takes at once over HTTP/2: the size of a frame.
const PART: usize = 16 << 10;

/// A request and its response, from the head of the request until hyper has the whole response.
/// Dropping the exchange ends it.
#[derive(Debug)]
pub(crate) struct Exchange {
    conn_state: Arc<ConnState>,
    /// Set if another task than the connection's drops the exchange.
    is_multiplexed: bool,
    is_stream: AtomicBool,
    /// Set when hyper has the whole response.
    is_complete: AtomicBool,
    progress: AtomicU8,
    ending: Mutex<Option<Closed>>,
}

/// The latest request of an HTTP/2 connection, on its way to the task that serves the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct LatestExchange(Arc<Mutex<Option<Arc<Exchange>>>>);

impl LatestExchange {
    pub(crate) fn take(&self) -> Option<Arc<Exchange>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Exchange>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The side that must act before a response can continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Progress {
    /// The service.
    Service = 0,
    /// The client, since the latest part of the body.
    Client = 1,
    /// The client, as noted by an earlier poll.
    ClientStill = 2,
}

impl Exchange {
    pub(crate) fn begin(conn_state: &Arc<ConnState>) -> Arc<Self> {
        Self::new(conn_state, false)
    }

    /// Begins a request of HTTP/2. Another task takes the exchange from `latest`.
    pub(crate) fn begin_multiplexed(
        conn_state: &Arc<ConnState>,
        latest: &LatestExchange,
    ) -> Arc<Self> {
        let exchange = Self::new(conn_state, true);
        *latest.lock() = Some(Arc::clone(&exchange));
        exchange
    }

    fn new(conn_state: &Arc<ConnState>, is_multiplexed: bool) -> Arc<Self> {
        conn_state.request_began();
        Arc::new(Self {
            conn_state: Arc::clone(conn_state),
            is_multiplexed,
            is_stream: AtomicBool::new(false),
            is_complete: AtomicBool::new(false),
            progress: AtomicU8::new(Progress::Service as u8),
            ending: Mutex::default(),
        })
    }

    pub(crate) fn conn_state(&self) -> &Arc<ConnState> {
        &self.conn_state
    }

    /// Notes that the response is a stream. `ending` notifies the connection of the end of the
    /// stream.
    pub(crate) fn becomes_stream(&self, ending: Option<Closed>) {
        if !self.is_stream.swap(true, Ordering::Relaxed) {
            self.conn_state.stream_began();
        }
        if self.is_multiplexed {
            *self.ending() = ending;
        } else {
            self.conn_state.put(ending);
        }
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.is_stream.load(Ordering::Relaxed)
    }

    /// Polls for the end of the stream of a multiplexed response.
    pub(crate) fn poll_ending(&self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        match &mut *self.ending() {
            Some(ending) => Pin::new(ending).poll(cx),
            None => Poll::Pending,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        match self.progress.load(Ordering::Relaxed) {
            0 => Progress::Service,
            1 => Progress::Client,
            _ => Progress::ClientStill,
        }
    }

    pub(crate) fn set_progress(&self, progress: Progress) {
        self.progress.store(progress as u8, Ordering::Relaxed);
    }

    fn ending(&self) -> MutexGuard<'_, Option<Closed>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let left = self.conn_state.request_ended();
        // A stream that is handed over takes its connection along.
        if self.is_stream() && !self.conn_state.handoff().has_begun() {
            self.conn_state.stream_ended();
        }
        if !self.is_multiplexed {
            return;
        }
        let is_flood = !*self.is_complete.get_mut() && self.conn_state.cancelled();
        // The time without requests begins, or the flood must be ended.
        if left == 0 || is_flood {
            self.conn_state.wake();
        }
    }
}

pin_project! {
    /// A response's body that keeps its [`Exchange`] until hyper has the whole body.
    ///
    /// Over HTTP/2, the body returns at most as many bytes at once as hyper holds for a client.
    /// hyper takes a part of any size before it checks for room, and keeps the part until the
    /// client takes it or disconnects.
    #[derive(Debug)]
    pub(crate) struct Tracked<B: Body> {
        #[pin]
        body: B,
        exchange: Arc<Exchange>,
        // The remaining bytes of the latest part.
        rest: Option<Box<Bytes>>,
        has_ended: bool,
    }

    impl<B: Body> PinnedDrop for Tracked<B> {
        fn drop(this: Pin<&mut Self>) {
            if this.has_ended || this.is_end_stream() {
                this.exchange.is_complete.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl<B: Body> Tracked<B> {
    pub(crate) fn new(body: B, exchange: Arc<Exchange>) -> Self {
        Self {
            body,
            exchange,
            rest: None,
            has_ended: false,
        }
    }

    fn left(&self) -> u64 {
        self.rest.as_ref().map_or(0, |rest| rest.len() as u64)
    }
}

impl<B: Body> Body for Tracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if let Some(rest) = this.rest.take() {
            this.exchange.set_progress(Progress::Client);
            return Poll::Ready(Some(Ok(first_part(*rest, this.rest))));
        }
        let polled = this.body.poll_frame(cx);
        let progress = if polled.is_pending() {
            Progress::Service
        } else {
            Progress::Client
        };
        this.exchange.set_progress(progress);
        let frame = match ready!(polled) {
            None => {
                *this.has_ended = true;
                return Poll::Ready(None);
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(frame)) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(data) if this.exchange.is_multiplexed => first_part(data, this.rest),
            Ok(data) => Frame::data(data),
            Err(trailers) => trailers,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(self.left()));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(self.left()));
        }
        hint
    }
}

/// Returns the first part of a frame's data, and stores the remaining bytes in `rest`.
fn first_part(mut data: Bytes, rest: &mut Option<Box<Bytes>>) -> Frame<Bytes> {
    let part = data.split_to(data.len().min(PART));
    if !data.is_empty() {
        *rest = Some(Box::new(data));
    }
    Frame::data(part)
}
