//! The request of a connecting client.

use std::{borrow::Cow, fmt, net::IpAddr, sync::Arc};

use crate::{
    dialect::{Dialect, connect_error::ConnectErrorKind},
    id::{
        caller::Caller,
        names::{Topic, UserId},
        validate::{FieldError, shortened},
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

/// Names of fields in errors, with their origin.
pub(crate) const USER: &str = "user";
pub(crate) const SET_TOPIC: &str = "topic set by the app";
pub(crate) const REQUESTED_TOPIC: &str = "requested topic";

impl Handshake {
    /// Creates a handshake without a user and without topics.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a handshake from a request: its method, its query string without the question mark,
    /// and the value of its `Last-Event-ID` header.
    ///
    /// `topics=a,b` is a list of topics: commas separate the topics, and spaces around a topic and
    /// empty topics are ignored. `topic=a` is one topic, with every comma and space. A topic that
    /// contains a comma, or that begins or ends with a space, can be requested in this form only.
    /// Both parameters can occur several times.
    ///
    /// A non-empty header takes precedence over the query (`lastEventId`, `last_event_id`,
    /// `Last-Event-ID`, `lastEventID`). Several different ids in the query are rejected.
    ///
    /// Other parameters belong to the app and are ignored. The exception is a misspelt parameter of
    /// the above, which is rejected: one that differs in case, in `-` and `_`, or by brackets, such
    /// as `Topics` and `topics[]`.
    ///
    /// The header can contain any bytes (browsers send UTF-8); invalid UTF-8 is replaced, so that
    /// the value matches no id. Pass the `Accept` header to [`accept`](Self::accept).
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
        handshake.read_query(query.unwrap_or_default());
        handshake
    }

    fn read_query(&mut self, query: &str) {
        let mut last_event_id: Option<Cow<'_, str>> = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "topics" => self.request_topics(&value),
                "topic" => self.request_topic("query parameter topic", &*value),
                name if LAST_EVENT_ID_QUERY.contains(&name) => {
                    if value.is_empty() {
                        continue;
                    }
                    if last_event_id.as_ref().is_some_and(|id| *id != value) {
                        // Nothing decides from which of two events the client continues.
                        self.report(ConnectErrorKind::RepeatedParameter("lastEventId"));
                    }
                    last_event_id.get_or_insert(value);
                }
                name => {
                    if let Some(known) = resembled(name) {
                        let name = shortened(name);
                        self.report(ConnectErrorKind::MisspeltParameter { name, known });
                    }
                }
            }
        }
        if self.last_event_id.is_none() {
            self.last_event_id = last_event_id.map(Cow::into_owned);
        }
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
            self.request_topic("query parameter topics", name);
        }
    }

    fn request_topic<N: TryInto<Topic, Error: Into<FieldError>>>(
        &mut self,
        field: &'static str,
        topic: N,
    ) {
        match topic.try_into() {
            Ok(topic) => self.requested_topics.push(topic),
            Err(error) => self.note(field, error.into()),
        }
    }

    /// Sets the user of the stream. `connect` reports an invalid name.
    #[must_use]
    pub fn user<N: TryInto<UserId, Error: Into<FieldError>>>(mut self, user: N) -> Self {
        match user.try_into() {
            Ok(user) => self.caller.user = Some(user),
            Err(error) => self.note(USER, error.into()),
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
            Err(error) => self.note(SET_TOPIC, error.into()),
        }
        self
    }

    /// Requests a topic for the client, subject to [`Access`](crate::access::Access). `connect`
    /// reports an invalid name.
    #[must_use]
    pub fn requested_topic<N: TryInto<Topic, Error: Into<FieldError>>>(mut self, topic: N) -> Self {
        self.request_topic(REQUESTED_TOPIC, topic);
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

    fn note(&mut self, field: &'static str, source: FieldError) {
        self.report(ConnectErrorKind::Invalid { field, source });
    }

    fn report(&mut self, problem: ConnectErrorKind) {
        self.problem.get_or_insert(problem);
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

/// Returns the parameters that a name resembles: it differs from one of them in case, in `-` and
/// `_`, or by brackets.
fn resembled(name: &str) -> Option<&'static str> {
    let word = name.split('[').next().unwrap_or_default();
    let is = |known: &str| {
        let letters = word.bytes().filter(|byte| !b"-_ ".contains(byte));
        letters
            .map(|byte| byte.to_ascii_lowercase())
            .eq(known.bytes())
    };
    if is("topics") || is("topic") {
        Some("topics or topic")
    } else if is("lasteventid") {
        Some("lastEventId")
    } else {
        None
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
