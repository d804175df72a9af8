//! The request of a connecting client.

use std::{fmt, net::IpAddr, sync::Arc};

use crate::{
    dialect::{
        Dialect,
        connect_error::{ConnectErrorKind, shortened},
    },
    id::{
        caller::Caller,
        names::{Topic, UserId},
        validate::FieldError,
    },
    stream::overflow::Overflow,
};

/// The request of a connecting client: its identity, its topics and its preferences.
///
/// An adapter creates the handshake from a request, the app adds what it knows, and
/// [`Manager::connect`](crate::Manager::connect) consumes it. Topics that the *client* requests are
/// subject to [`Access`](crate::access::Access); topics that the app adds are not.
///
/// ```
/// use sse_core::{Handshake, Manager, Topic, UserId, access::AllowAll};
///
/// let manager = Manager::builder().access(AllowAll).build()?;
///
/// // The client requests a topic, and the app adds the user and another topic.
/// let handshake = Handshake::from_request("GET", Some("topics=news"), None);
/// assert_eq!(handshake.requested_topics(), [Topic::new("news")?]);
/// let session = manager.connect(handshake.user("42").topic("orders/7"))?;
/// assert_eq!(session.user_id().map(UserId::as_str), Some("42"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Handshake {
    pub(crate) caller: Caller,
    pub(crate) topics: Vec<Topic>,
    pub(crate) requested_topics: Vec<Topic>,
    pub(crate) last_event_id: Option<String>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) dialect: Option<Arc<dyn Dialect>>,
    pub(crate) overflow: Option<Overflow>,
    /// Set if the client accepts only an event stream.
    pub(crate) accepts_streams_only: bool,
    /// The first problem of the handshake. `connect` reports it, so that calls can be chained.
    pub(crate) problem: Option<ConnectErrorKind>,
}

/// Query parameters that carry the last event id, for clients that cannot send the header.
const LAST_EVENT_ID_QUERY: [&str; 4] = [
    "lastEventId",
    "last_event_id",
    "Last-Event-ID",
    "lastEventID",
];

impl Handshake {
    /// Creates a handshake without a user and without topics.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a handshake from a request: its method, its query string without the question mark,
    /// and the value of its `Last-Event-ID` header.
    ///
    /// `topics=a,b` can occur several times; empty names are ignored. A non-empty header takes
    /// precedence over the query (`lastEventId`, `last_event_id`, `Last-Event-ID`, `lastEventID`).
    /// Other parameters belong to the app and are ignored. The header can contain any bytes
    /// (browsers send UTF-8); invalid UTF-8 is replaced, so that the value matches no id. Pass the
    /// `Accept` header to [`accept`](Self::accept).
    ///
    /// [`Manager::connect`](crate::Manager::connect) reports and counts any problem of the request.
    #[must_use]
    pub fn from_request(method: &str, query: Option<&str>, last_event_id: Option<&[u8]>) -> Self {
        let mut handshake = Self::new();
        match method {
            "GET" => {}
            "HEAD" => handshake.problem = Some(ConnectErrorKind::HeadersOnly),
            _ => handshake.problem = Some(ConnectErrorKind::Method),
        }
        let header = last_event_id.map(|id| String::from_utf8_lossy(id).into_owned());
        handshake.last_event_id = header.filter(|id| !id.is_empty());
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if name == "topics" {
                handshake.request_topics(&value);
            } else if LAST_EVENT_ID_QUERY.contains(&&*name) && handshake.last_event_id.is_none() {
                handshake.last_event_id = Some(value.into_owned()).filter(|id| !id.is_empty());
            }
        }
        handshake
    }

    /// Reads the values of the request's `Accept` headers. They never cause a rejection: `curl`
    /// sends `*/*`.
    ///
    /// A client that accepts only `text/event-stream`, like a browser's `EventSource`, closes
    /// permanently after any other response. For such a client,
    /// [`RejectionStyle::Auto`](crate::config::RejectionStyle::Auto) avoids the statuses of
    /// temporary causes.
    #[must_use]
    pub fn accept<'a>(mut self, values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let ranges = values
            .into_iter()
            .flat_map(|value| value.split(|byte| *byte == b','));
        let types = ranges.map(|range| {
            range
                .split(|byte| *byte == b';')
                .next()
                .unwrap_or_default()
                .trim_ascii()
        });
        let mut types = types.filter(|media_type| !media_type.is_empty()).peekable();
        self.accepts_streams_only = types.peek().is_some()
            && types.all(|media_type| media_type.eq_ignore_ascii_case(b"text/event-stream"));
        self
    }

    fn request_topics(&mut self, list: &str) {
        for name in list
            .split(',')
            .map(|name| name.trim_matches(' '))
            .filter(|name| !name.is_empty())
        {
            match Topic::new(name) {
                Ok(topic) => self.requested_topics.push(topic),
                Err(source) => self.note("topics", name, source),
            }
        }
    }

    /// Sets the user of the stream. `connect` reports an invalid name.
    #[must_use]
    pub fn user<N: TryInto<UserId, Error: Into<FieldError>>>(mut self, user: N) -> Self {
        match user.try_into() {
            Ok(user) => self.caller.user = Some(user),
            Err(error) => self.note("user", "", error.into()),
        }
        self
    }

    /// Sets the caller with its claims, expiry and sign-in, in place of a user that was set
    /// earlier.
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Joins a topic, as decided by the app. `connect` reports an invalid name.
    #[must_use]
    pub fn topic<N: TryInto<Topic, Error: Into<FieldError>>>(mut self, topic: N) -> Self {
        match topic.try_into() {
            Ok(topic) => self.topics.push(topic),
            Err(error) => self.note("topic", "", error.into()),
        }
        self
    }

    /// Requests a topic for the client, subject to [`Access`](crate::access::Access). `connect`
    /// reports an invalid name.
    #[must_use]
    pub fn requested_topic<N: TryInto<Topic, Error: Into<FieldError>>>(mut self, topic: N) -> Self {
        match topic.try_into() {
            Ok(topic) => self.requested_topics.push(topic),
            Err(error) => self.note("topics", "", error.into()),
        }
        self
    }

    /// Rejects the stream for a cause that is already known.
    /// [`Manager::connect`](crate::Manager::connect) returns the cause and counts it.
    ///
    /// Of several causes, the first is returned. A request for headers only is not a cause in this
    /// sense: a client that is denied the stream is also denied its headers.
    #[must_use]
    pub fn refuse(mut self, cause: ConnectErrorKind) -> Self {
        if matches!(self.problem, None | Some(ConnectErrorKind::HeadersOnly)) {
            self.problem = Some(cause);
        }
        self
    }

    fn note(&mut self, field: &'static str, value: &str, source: FieldError) {
        self.problem.get_or_insert(ConnectErrorKind::Invalid {
            field,
            value: shortened(value),
            source,
        });
    }

    /// Sets the address of the client, for the limits per address and for
    /// [`StreamInfo`](crate::hooks::StreamInfo).
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Sets the dialect of the stream; [`Plain`](crate::dialect::Plain) by default.
    #[must_use]
    pub fn dialect(mut self, dialect: Arc<dyn Dialect>) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Sets the [`Overflow`] of the stream, in place of the manager's.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// Returns the last event id that the client sent, never empty.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// Returns the topics that the client requested.
    #[must_use]
    pub fn requested_topics(&self) -> &[Topic] {
        &self.requested_topics
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("user", &self.caller.user)
            .field("topics", &self.topics)
            .field("requested_topics", &self.requested_topics)
            .field("last_event_id", &self.last_event_id)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
