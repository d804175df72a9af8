//! The behavior of the suite's app.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use sse_core::{
    Caller, ConnectError, Event, EventStream, Handshake, Manager, Session, ShutdownOptions, UserId,
};
use sse_trpc::{CallLimits, Management};
use tokio::sync::{mpsc, oneshot};

/// Maximum number of bytes of a management API call in the suite.
pub(crate) const BODY_LIMIT: usize = 1000;

/// Heartbeat interval of a one-off stream.
pub(crate) const TOKEN_HEARTBEAT: Duration = Duration::from_millis(200);

/// The behavior of the suite's app on any framework. Clones share their state.
#[derive(Debug, Clone)]
pub struct TestApp {
    manager: Manager,
    drain: ShutdownOptions,
    record: Arc<AppRecord>,
}

/// The suite's record of the app.
#[derive(Debug)]
pub(crate) struct AppRecord {
    pub(crate) handshakes: Mutex<Vec<Handshake>>,
    answers: mpsc::UnboundedSender<mpsc::Sender<io::Result<Event>>>,
}

impl TestApp {
    /// A text that is long enough for compression.
    pub const PROSE: &str = include_str!("../../README.md");

    pub(crate) fn new(
        manager: Manager,
        drain: ShutdownOptions,
    ) -> (
        Self,
        mpsc::UnboundedReceiver<mpsc::Sender<io::Result<Event>>>,
    ) {
        let (answers, given) = mpsc::unbounded_channel();
        let record = Arc::new(AppRecord {
            handshakes: Mutex::default(),
            answers,
        });
        (
            Self {
                manager,
                drain,
                record,
            },
            given,
        )
    }

    /// Returns the manager, for a server that ends its streams.
    #[must_use]
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Returns the shutdown options of the server.
    pub fn drain(&self) -> ShutdownOptions {
        self.drain.clone()
    }

    /// Connects a stream, in place of [`Manager::connect`], so that the suite sees the adapter's
    /// handshake of the request. A `user` in the query becomes the user of the stream.
    ///
    /// # Errors
    /// As [`Manager::connect`].
    pub fn connect(
        &self,
        handshake: impl Into<Handshake>,
        query: Option<&str>,
    ) -> Result<Session, ConnectError> {
        let handshake = handshake.into();
        let handshake = match user(query) {
            Some(user) => handshake.user(user),
            None => handshake,
        };
        self.record.handshakes().push(handshake.clone());
        self.manager.connect(handshake)
    }

    /// Returns a one-off stream whose events the suite sends, with a heartbeat every 200 ms.
    pub fn tokens(&self) -> EventStream<EventReceiver> {
        let (sender, tokens) = mpsc::channel(16);
        // If the suite has ended, no event will be sent, and the stream ends at once.
        let _ = self.record.answers.send(sender);
        EventStream::new(EventReceiver(tokens)).heartbeat_interval(TOKEN_HEARTBEAT)
    }

    /// Returns the management API, with bodies of at most 1,000 bytes.
    #[must_use]
    pub fn management(&self) -> Management {
        let mut limits = CallLimits::default();
        limits.body = BODY_LIMIT;
        Management::new(self.manager.clone()).limits(limits)
    }

    /// Returns the caller of the management API: the `user` in the query, or an anonymous caller.
    #[must_use]
    pub fn caller(&self, query: Option<&str>) -> Caller {
        user(query)
            .and_then(|user| UserId::new(&*user).ok())
            .map_or_else(Caller::default, Caller::user)
    }

    pub(crate) fn record(&self) -> Arc<AppRecord> {
        Arc::clone(&self.record)
    }
}

impl AppRecord {
    pub(crate) fn handshakes(&self) -> std::sync::MutexGuard<'_, Vec<Handshake>> {
        self.handshakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn user(query: Option<&str>) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs
        .find(|(name, _)| name == "user")
        .map(|(_, value)| value.into_owned())
}

/// The events of a one-off stream.
#[derive(Debug)]
pub struct EventReceiver(mpsc::Receiver<io::Result<Event>>);

impl Stream for EventReceiver {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// A future that resolves when the server must shut down.
#[derive(Debug)]
pub struct Stop(pub(crate) oneshot::Receiver<()>);

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}
