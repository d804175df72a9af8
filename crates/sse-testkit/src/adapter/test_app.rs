//! What the app of the suite serves.

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
use sse_trpc::{Limits, Management};
use tokio::sync::{mpsc, oneshot};

/// The most bytes that a call of the management API may have in the suite.
pub(crate) const BODY_LIMIT: usize = 1000;

/// How long a one-off stream is quiet before its heartbeat.
pub(crate) const TOKEN_HEARTBEAT: Duration = Duration::from_millis(200);

/// What the suite's app serves, whatever the framework. A clone is the same.
#[derive(Debug, Clone)]
pub struct TestApp {
    manager: Manager,
    drain: ShutdownOptions,
    record: Arc<Record>,
}

/// What the suite learns of the app.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) handshakes: Mutex<Vec<Handshake>>,
    answers: mpsc::UnboundedSender<mpsc::Sender<io::Result<Event>>>,
}

impl TestApp {
    /// Enough of a text to be worth a compression.
    pub const PROSE: &str = include_str!("../../README.md");

    pub(crate) fn new(
        manager: Manager,
        drain: ShutdownOptions,
    ) -> (
        Self,
        mpsc::UnboundedReceiver<mpsc::Sender<io::Result<Event>>>,
    ) {
        let (answers, given) = mpsc::unbounded_channel();
        let record = Arc::new(Record {
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

    /// The manager, for a server that ends its streams.
    #[must_use]
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// How the server is to shut down.
    pub fn drain(&self) -> ShutdownOptions {
        self.drain.clone()
    }

    /// Connects a stream: in the place of [`Manager::connect`], so that the suite sees what the
    /// adapter read from the request.
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

    /// A one-off stream.
    pub fn tokens(&self) -> EventStream<Answer> {
        let (sender, tokens) = mpsc::channel(16);
        // Without a suite that listens there is nobody to miss it.
        let _ = self.record.answers.send(sender);
        EventStream::new(Answer(tokens)).heartbeat_interval(TOKEN_HEARTBEAT)
    }

    /// The management API.
    #[must_use]
    pub fn management(&self) -> Management {
        let mut limits = Limits::default();
        limits.body = BODY_LIMIT;
        Management::new(self.manager.clone()).limits(limits)
    }

    /// Who calls the management API: the user that the query names.
    #[must_use]
    pub fn caller(&self, query: Option<&str>) -> Caller {
        user(query)
            .and_then(|user| UserId::new(&*user).ok())
            .map_or_else(Caller::default, Caller::user)
    }

    pub(crate) fn record(&self) -> Arc<Record> {
        Arc::clone(&self.record)
    }
}

impl Record {
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

/// What a one-off stream consists of.
#[derive(Debug)]
pub struct Answer(mpsc::Receiver<io::Result<Event>>);

impl Stream for Answer {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// Resolves when the server is to shut down.
#[derive(Debug)]
pub struct Stop(pub(crate) oneshot::Receiver<()>);

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}
