//! The connection to the server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerError, connection::State,
    rustls::crypto,
};
use parking_lot::Mutex;
use sse_core::backplane::{Backoff, BackplaneError};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    address::Addresses,
    config::{NatsConfig, NatsCredentials},
    error::{refused, unavailable},
};

/// A connection to a server, made again by the driver whenever it is lost.
#[derive(Debug)]
pub(crate) struct NatsConnection {
    client: Client,
    events: watch::Receiver<()>,
    noticed: Arc<Noticed>,
}

/// The number of a connection; each reconnection has the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Generation {
    /// A number that no connection has.
    pub(crate) const NONE: Self = Self(0);
}

/// The requirement that a server is available at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitialConnect {
    Connected,
    Connecting,
}

/// Events that the driver reports.
#[derive(Debug, Default)]
struct Noticed {
    /// Number of messages that arrived while too many waited in their subscription.
    overruns: AtomicU64,
    complaint: Mutex<Option<(Instant, String)>>,
    /// The reason for a missing connection.
    failure: Mutex<Option<String>>,
}

/// Timeout for a TCP connection and its handshake.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Interval between pings. The driver closes the connection after two pings without a reply: after
/// 9 s.
const PING: Duration = Duration::from_secs(3);

/// Delays between two attempts to connect.
const RECONNECT: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Maximum number of messages that wait in one subscription, unless twice the number of appends in
/// flight is more. No request of this crate asks for as many.
const WAITING_MESSAGES: usize = 4096;

/// Time for which an error message of the server explains a request without a reply.
const COMPLAINT_TIME: Duration = Duration::from_secs(10);

impl NatsConnection {
    pub(crate) async fn open(
        urls: &str,
        config: &NatsConfig,
        begin: InitialConnect,
    ) -> Result<Self, BackplaneError> {
        let addresses = Addresses::parse(urls).map_err(BackplaneError::rejected)?;
        // The driver uses the process's default provider, and would panic if it had to choose
        // between two.
        if crypto::CryptoProvider::get_default().is_none() {
            crypto::ring::default_provider().install_default().ok();
        }
        let (changed, events) = watch::channel(());
        let noticed = Arc::new(Noticed::default());
        let mut options = options(config, changed, Arc::clone(&noticed));
        if begin == InitialConnect::Connecting {
            options = options.retry_on_initial_connect();
        }
        let credentials = config.credentials.clone().or(addresses.credentials);
        let options = with_credentials(options, credentials).await?;
        let client = options
            .connect(&addresses.servers[..])
            .await
            .map_err(connect_error)?;
        Ok(Self {
            client,
            events,
            noticed,
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the number of the current connection.
    pub(crate) fn up(&self) -> Result<Generation, BackplaneError> {
        let generation = self.generation();
        if self.client.connection_state() != State::Connected {
            let failure = self.noticed.failure.lock().clone();
            return Err(unavailable(
                failure.unwrap_or_else(|| "not connected".to_owned()),
            ));
        }
        Ok(generation)
    }

    pub(crate) fn is(&self, generation: Generation) -> bool {
        self.up().is_ok_and(|now| now == generation)
    }

    fn generation(&self) -> Generation {
        Generation(self.client.statistics().connects.load(Ordering::Relaxed))
    }

    /// Resolves when a connection has ended.
    pub(crate) async fn lost(&self, generation: Generation) {
        let mut events = self.events.clone();
        while self.is(generation) {
            // The driver drops events that are not received in time, so the connection is also
            // checked once a second.
            if let Ok(Err(_)) = timeout(Duration::from_secs(1), events.changed()).await {
                return;
            }
        }
    }

    /// Returns a receiver of events. The number of the connection tells what happened.
    pub(crate) fn events(&self) -> watch::Receiver<()> {
        self.events.clone()
    }

    /// Returns the number of times that messages were lost because too many waited.
    pub(crate) fn overruns(&self) -> u64 {
        self.noticed.overruns.load(Ordering::Relaxed)
    }

    /// Returns the error for a request without a reply in time.
    pub(crate) fn unanswered(&self, subject: &str) -> BackplaneError {
        let recently = Instant::now().checked_sub(COMPLAINT_TIME);
        // A reply does not arrive if the user has no right to receive replies.
        let complaint = recently.and_then(|since| {
            self.complaint(subject, since)
                .or_else(|| self.complaint("Subscription to \"_INBOX", since))
        });
        complaint
            .unwrap_or_else(|| unavailable(format!("no reply in time to a request to {subject}")))
    }

    /// Returns the server's message on missing rights for a subject, if it arrived at `since` or
    /// later.
    pub(crate) fn complaint(&self, subject: &str, since: Instant) -> Option<BackplaneError> {
        let complaint = self.noticed.complaint.lock();
        let (_, text) = complaint
            .as_ref()
            .filter(|(at, text)| *at >= since && text.contains(subject))?;
        Some(BackplaneError::rejected(format!(
            "{text}; give the user the rights that the README of sse-nats lists"
        )))
    }

    /// Resolves once the server has sent a message on missing rights for a subject, at `since` or
    /// later.
    pub(crate) async fn complains(&self, subject: &str, since: Instant) -> BackplaneError {
        let mut events = self.events.clone();
        loop {
            if let Some(complaint) = self.complaint(subject, since) {
                return complaint;
            }
            if events.changed().await.is_err() {
                // The client is closed, which other tasks notice.
                std::future::pending::<()>().await;
            }
        }
    }
}

fn options(
    config: &NatsConfig,
    changed: watch::Sender<()>,
    noticed: Arc<Noticed>,
) -> ConnectOptions {
    let changed = Arc::new(changed);
    let mut options = ConnectOptions::new()
        .name(format!("sse-nats {}", config.prefix))
        .connection_timeout(CONNECT_TIME)
        .ping_interval(PING)
        .subscription_capacity(WAITING_MESSAGES.max(2 * config.appends_under_way))
        .max_reconnects(None)
        .reconnect_delay_callback(|attempt| {
            RECONNECT.delay(u32::try_from(attempt).unwrap_or(u32::MAX))
        })
        .event_callback(move |event| {
            noticed.take(event);
            changed.send_replace(());
            std::future::ready(())
        });
    if config.tls.required {
        options = options.require_tls(true);
    }
    for path in &config.tls.roots {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &config.tls.client {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    options
}

async fn with_credentials(
    options: ConnectOptions,
    credentials: Option<NatsCredentials>,
) -> Result<ConnectOptions, BackplaneError> {
    let unreadable = |error| refused("failed to read the credentials", error);
    Ok(match credentials {
        None => options,
        Some(NatsCredentials::Password { user, password }) => {
            options.user_and_password(user, password)
        }
        Some(NatsCredentials::Token(token)) => options.token(token),
        Some(NatsCredentials::Nkey(seed)) => options.nkey(seed),
        Some(NatsCredentials::File(path)) => {
            options.credentials_file(path).await.map_err(unreadable)?
        }
        Some(NatsCredentials::Text(text)) => options.credentials(&text).map_err(unreadable)?,
    })
}

fn connect_error(error: ConnectError) -> BackplaneError {
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            refused("the server rejects the credentials", error)
        }
        ConnectErrorKind::ServerParse => refused("invalid address of the server", error),
        ConnectErrorKind::Tls => refused("failed to set up TLS with the server", error),
        _ => unavailable(error),
    }
}

impl Noticed {
    fn take(&self, event: Event) {
        match event {
            Event::SlowConsumer(_) => {
                self.overruns.fetch_add(1, Ordering::Relaxed);
            }
            Event::ServerError(ServerError::Other(text)) => {
                *self.complaint.lock() = Some((Instant::now(), text));
            }
            Event::ClientError(error) => {
                *self.failure.lock() = Some(format!("not connected: {error}"));
            }
            Event::Connected => *self.failure.lock() = None,
            _ => {}
        }
    }
}
