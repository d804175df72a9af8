//! What a connecting client asks for, and who it is.

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

/// What a connecting client asks for, and who it is.
///
/// An adapter makes it from a request, the app adds what it knows,
/// [`Manager::connect`](crate::Manager::connect) takes it. Topics that the *client* asked for are
/// subject to [`Access`](crate::Access); those that the app adds are not.
#[derive(Clone, Default)]
pub struct Handshake {
    pub(crate) caller: Caller,
    pub(crate) topics: Vec<Topic>,
    pub(crate) requested_topics: Vec<Topic>,
    pub(crate) last_event_id: Option<String>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) dialect: Option<Arc<dyn Dialect>>,
    pub(crate) overflow: Option<Overflow>,
    /// The client accepts nothing but an event stream.
    pub(crate) accepts_streams_only: bool,
    /// The first thing that is wrong; told by `connect`, so that calls chain.
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
    /// A client that asks for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a request: its method, its query string without the question mark, and the value of
    /// its `Last-Event-ID` header.
    ///
    /// `topics=a,b` may stand more than once; empty names are passed over. A non-empty header goes
    /// before the query (`lastEventId`, `last_event_id`, `Last-Event-ID`). Other parameters are the
    /// app's, and ignored. The header may hold any bytes (browsers send UTF-8); what is not UTF-8
    /// is replaced, so it will not match any id. [`accept`](Self::accept) takes the `Accept`
    /// header.
    ///
    /// Whatever is wrong with the request is told by [`Manager::connect`](crate::Manager::connect),
    /// which also counts it.
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

    /// Reads the values of the request's `Accept` headers. They are never a reason to reject a
    /// stream: `curl` sends `*/*`.
    ///
    /// A client that accepts `text/event-stream` and nothing else, as a browser's `EventSource`
    /// does, closes for ever after any other answer.
    /// [`RefusalForm::Auto`](crate::RejectionStyle::Auto) spares it the statuses of temporary
    /// causes.
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

    /// Says whose stream it is. A name that cannot be one is told by `connect`.
    #[must_use]
    pub fn user<N: TryInto<UserId, Error: Into<FieldError>>>(mut self, user: N) -> Self {
        match user.try_into() {
            Ok(user) => self.caller.user = Some(user),
            Err(error) => self.note("user", "", error.into()),
        }
        self
    }

    /// Says who is asking, with claims.
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Joins a topic, by the app's decision. A name that cannot be one is told by `connect`.
    #[must_use]
    pub fn topic<N: TryInto<Topic, Error: Into<FieldError>>>(mut self, topic: N) -> Self {
        match topic.try_into() {
            Ok(topic) => self.topics.push(topic),
            Err(error) => self.note("topic", "", error.into()),
        }
        self
    }

    /// Asks for a topic, as the client's wish: subject to [`Access`](crate::Access). A name that
    /// cannot be one is told by `connect`.
    #[must_use]
    pub fn requested_topic<N: TryInto<Topic, Error: Into<FieldError>>>(mut self, topic: N) -> Self {
        match topic.try_into() {
            Ok(topic) => self.requested_topics.push(topic),
            Err(error) => self.note("topics", "", error.into()),
        }
        self
    }

    /// Has the stream refused, for what was found out before:
    /// [`Manager::connect`](crate::Manager::connect) says so, and counts it.
    ///
    /// Of several things that are wrong the first is told. That only the headers are asked for is
    /// no such thing: who is refused a stream is refused its headers.
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

    /// Says where the client is, for limits and logs.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Speaks another dialect than [`Plain`](crate::Plain) on this stream.
    #[must_use]
    pub fn dialect(mut self, dialect: Arc<dyn Dialect>) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Another [`Overflow`] than the manager's for this stream.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// The last event id that the client sent, never empty.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// The topics that the client asked for.
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
