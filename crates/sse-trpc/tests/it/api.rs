//! An API under test, and its answers.

use std::borrow::Cow;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use sse_core::{
    Caller, ConnectErrorKind, Manager, UserId,
    access::{Access, AllowAll},
};
use sse_trpc::{Body, CallLimits, Content, Headers, Management, Request, Response};

use crate::listener::Listener;

pub(crate) struct Api {
    pub(crate) manager: Manager,
    pub(crate) management: Management,
    caller: Result<Caller, ConnectErrorKind>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) text: String,
}

impl Api {
    /// Creates an API in which every caller may do everything.
    pub(crate) fn open() -> Self {
        Self::with_access(AllowAll)
    }

    pub(crate) fn with_access(access: impl Access) -> Self {
        Self::of(Manager::builder().access(access).build().unwrap())
    }

    pub(crate) fn of(manager: Manager) -> Self {
        Self {
            management: Management::new(manager.clone()),
            manager,
            caller: Ok(Caller::anonymous()),
        }
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut CallLimits)) -> Self {
        let mut limits = CallLimits::default();
        change(&mut limits);
        self.management = self.management.limits(limits);
        self
    }

    pub(crate) fn caller(mut self, caller: Caller) -> Self {
        self.caller = Ok(caller);
        self
    }

    /// Makes authentication refuse every caller.
    pub(crate) fn refusing(mut self, cause: ConnectErrorKind) -> Self {
        self.caller = Err(cause);
        self
    }

    pub(crate) fn user(self, name: &str) -> Self {
        self.caller(user(name))
    }

    pub(crate) fn listen(&self, user: &str, topics: &[&str]) -> Listener {
        Listener::connect(&self.manager, user, topics)
    }

    /// Sends a request with a target as in a request line: `sse.getStats?input=…`.
    pub(crate) async fn request(
        &self,
        method: &str,
        target: &str,
        content_type: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let headers: Vec<_> = content_type
            .map(|value| ("content-type", value))
            .into_iter()
            .collect();
        Answer::of(self.respond(method, target, &headers, body).await).await
    }

    /// Sends a request with these header fields.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        Answer::of(self.respond(method, target, headers, body.to_owned()).await).await
    }

    pub(crate) async fn respond(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Response {
        self.stream(method, target, headers, body.into()).await
    }

    /// Sends a request with a body as it arrives from a connection.
    pub(crate) async fn stream<E>(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Response {
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(path, query)| (path, Some(query)));
        let caller = self.caller.clone();
        let headers = Headers::read(|name| {
            headers
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.as_bytes())
        });
        let address = Some([192, 0, 2, 1].into());
        let request = Request {
            method,
            path,
            query,
            headers,
            caller,
            address,
        };
        self.management.handle(request, body).await
    }

    pub(crate) async fn query(&self, procedure: &str, input: Value) -> Answer {
        let input =
            form_urlencoded::byte_serialize(input.to_string().as_bytes()).collect::<String>();
        self.request("GET", &format!("{procedure}?input={input}"), None, "")
            .await
    }

    pub(crate) async fn mutate(&self, procedure: &str, input: Value) -> Answer {
        self.post(procedure, input.to_string()).await
    }

    pub(crate) async fn post(&self, procedure: &str, body: String) -> Answer {
        self.request("POST", procedure, Some("application/json"), body)
            .await
    }
}

impl Answer {
    /// Reads a response to the end of its body.
    pub(crate) async fn of(response: Response) -> Self {
        let bytes = match response.body {
            Content::Whole(bytes) => bytes.to_vec(),
            Content::Lines(lines) => lines.collect::<Vec<_>>().await.concat(),
            Content::Events(_) => panic!("a live stream"),
        };
        Self {
            status: response.status,
            headers: response.headers,
            text: String::from_utf8(bytes).unwrap(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self
            .headers
            .iter()
            .filter(|(known, _)| *known == name)
            .collect();
        assert!(values.len() <= 1, "{name} stands more than once");
        values.first().map(|(_, value)| value.as_ref())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Returns the output of a procedure.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["result"]["data"].clone()
    }

    #[track_caller]
    pub(crate) fn matched(&self, count: usize) {
        assert_eq!(self.data(), json!({ "matched": count }));
    }

    /// Returns the code and the message of an error, and checks that the other two forms of the
    /// code agree with it.
    #[track_caller]
    pub(crate) fn error(&self) -> (String, String) {
        let json = self.json();
        let error = &json["error"];
        assert_eq!(error["data"]["httpStatus"], self.status, "{}", self.text);
        assert!(error["code"].is_i64(), "{}", self.text);
        (text(&error["data"]["code"]), text(&error["message"]))
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, message: &str) {
        assert_eq!(
            (self.status, self.error()),
            (status, (code.into(), message.into()))
        );
    }

    #[track_caller]
    pub(crate) fn bad_request(&self, message: &str) {
        self.refused(400, "BAD_REQUEST", message);
    }
}

/// Returns the quotation of a character that a text repeats, as in an error about its length.
pub(crate) fn quoted(character: char) -> String {
    format!("\"{}…\"", character.to_string().repeat(64))
}

pub(crate) fn user(name: &str) -> Caller {
    Caller::user(UserId::new(name).unwrap())
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
