//! Any request to the management API receives a valid response.
//!
//! The input is a request as text. These headers configure the test:
//!
//! - `x-caller` sets the caller: `user` has the rights of `OwnEventsOnly`, `nobody` is
//!   unauthenticated, and any other caller is anonymous and may do everything.
//! - `x-transformer: superjson`, `x-override: yes` and `x-separator: _` configure the API.
//! - `x-body` sets how the body arrives: `broken` off at its end, `large` beyond every limit,
//!   `slow` without an end.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use serde::de::IgnoredAny;
use serde_json::Value;
use sse_core::{
    Caller, ConnectErrorKind, Handshake, Manager, Session, UserId,
    access::{AllowAll, OwnEventsOnly},
};
use sse_testkit::{Decoder, Item};
use sse_trpc::{Code, Content, Headers, Management, PathSeparator, Request, Response, Transformer};

use crate::request::TextRequest;

/// Event that returns to a client of tRPC the id that the client sent; the event has no data.
const RESTORE_ID: &str = "restore-id";

/// Length beyond the maximum of a body.
const TOO_LARGE: usize = (1 << 20) + 1;

/// The error of a body that ended too early.
#[derive(Debug)]
struct BrokenOff;

/// Maximum number of frames that are read of a subscription.
const FRAMES: usize = 100;

pub(crate) fn play(input: &[u8]) {
    let Some(request) = TextRequest::parse(input) else {
        return;
    };
    super::run(async {
        let builder = Manager::builder();
        let builder = if request.has("x-caller", "user") {
            builder.access(OwnEventsOnly)
        } else {
            builder.access(AllowAll)
        };
        let manager = builder.build().expect("the defaults are valid");
        let listener = manager
            .connect(Handshake::new().user("ada").topic("news"))
            .expect("room for the body");
        let response = api(&manager, &request)
            .handle(asked(&request), body(&request))
            .await;
        judge(&request, response).await;
        judge_stream(listener);
        assert_eq!(manager.stats().total_connections, 0);
    });
}

fn api(manager: &Manager, request: &TextRequest) -> Management {
    let api = Management::new(manager.clone()).method_override(request.has("x-override", "yes"));
    let api = if request.has("x-body", "slow") {
        api.body_timeout(Duration::ZERO)
    } else {
        api
    };
    let api = if request.has("x-separator", "_") {
        api.path_separator(PathSeparator::Underscore)
    } else {
        api
    };
    if request.has("x-transformer", "superjson") {
        api.transformer(Transformer::SuperJson)
    } else {
        api
    }
}

fn asked(request: &TextRequest) -> Request<'_> {
    let caller = match request
        .headers
        .get("x-caller")
        .map(http::HeaderValue::as_bytes)
    {
        Some(b"nobody") => Err(ConnectErrorKind::Unauthenticated),
        Some(b"user") => Ok(Caller::user(UserId::new("ada").expect("a name"))),
        _ => Ok(Caller::anonymous()),
    };
    Request {
        method: request.method.as_str(),
        path: request.uri.path().trim_start_matches('/'),
        query: request.uri.query(),
        headers: Headers::read(|name| request.headers.get(name).map(http::HeaderValue::as_bytes)),
        caller,
        address: None,
    }
}

fn body(request: &TextRequest) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
    let rest = match request
        .headers
        .get("x-body")
        .map(http::HeaderValue::as_bytes)
    {
        Some(b"broken") => stream::iter([Err(BrokenOff)]).boxed(),
        Some(b"large") => stream::iter([Ok(Bytes::from(vec![b' '; TOO_LARGE]))]).boxed(),
        Some(b"slow") => stream::pending().boxed(),
        _ => stream::empty().boxed(),
    };
    stream::iter([Ok(request.body.clone())]).chain(rest)
}

async fn judge(request: &TextRequest, response: Response) {
    let Response {
        status,
        headers,
        body,
    } = response;
    let is_code = Code::ALL.iter().any(|code| code.status() == status);
    assert!(
        matches!(status, 200 | 204 | 207) || is_code && status != 500,
        "{status}"
    );
    for (name, value) in &headers {
        assert!(
            http::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && http::HeaderValue::from_str(value).is_ok()
        );
    }
    let is_stream = headers
        .iter()
        .any(|(name, value)| *name == "content-type" && *value == "text/event-stream");
    match body {
        Content::Whole(bytes) if is_stream => judge_events(&mut Decoder::new(), &bytes),
        Content::Whole(bytes) if request.method == http::Method::HEAD => assert!(bytes.is_empty()),
        Content::Whole(bytes) => judge_whole(request, status, &bytes),
        Content::Lines(lines) => judge_lines(&lines.collect::<Vec<_>>().await.concat()),
        Content::Events(session) => judge_stream(session),
    }
}

fn judge_whole(request: &TextRequest, status: u16, body: &Bytes) {
    let superjson = request.has("x-transformer", "superjson");
    let json: Value = serde_json::from_slice(body).expect("an answer is JSON");
    if let Value::Array(outcomes) = &json {
        let statuses: Vec<_> = outcomes
            .iter()
            .map(|outcome| judge_outcome(outcome, superjson))
            .collect();
        let is_mixed = statuses.windows(2).any(|two| two[0] != two[1]);
        assert_eq!(status, if is_mixed { 207 } else { statuses[0] });
    } else {
        assert_eq!(status, judge_outcome(&json, superjson));
    }
}

/// Checks the envelope of an output or an error, and returns its status.
fn judge_outcome(outcome: &Value, superjson: bool) -> u16 {
    let members = outcome.as_object().expect("an outcome is an object");
    assert_eq!(members.len(), 1, "{outcome}");
    if let Some(result) = members.get("result") {
        let data = result.get("data").expect("a result has data");
        assert!(!superjson || data.get("json").is_some(), "{outcome}");
        return 200;
    }
    let error = if superjson {
        &members["error"]["json"]
    } else {
        &members["error"]
    };
    let data = &error["data"];
    assert!(
        error["message"].is_string() && error["code"].is_i64(),
        "{outcome}"
    );
    let code = Code::ALL
        .into_iter()
        .find(|code| data["code"] == code.as_str())
        .expect("a code of tRPC");
    assert_eq!(data["httpStatus"], code.status());
    code.status()
}

/// Checks lines of JSON, or one object in pieces.
fn judge_lines(text: &[u8]) {
    if serde_json::from_slice::<IgnoredAny>(text).is_ok() {
        return;
    }
    let text = std::str::from_utf8(text).expect("lines are UTF-8");
    assert!(text.ends_with('\n'), "{text:?}");
    for line in text.lines() {
        serde_json::from_str::<IgnoredAny>(line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}"));
    }
}

/// Reads the available part of a stream: whole blocks, each with JSON, since the API sends nothing
/// else.
fn judge_stream(mut session: Session) {
    let mut decoder = Decoder::new();
    for _ in 0..FRAMES {
        let Some(Some(bytes)) = session.next().now_or_never() else {
            break;
        };
        judge_events(&mut decoder, &bytes);
    }
}

fn judge_events(decoder: &mut Decoder, bytes: &[u8]) {
    for item in decoder.feed_items(bytes) {
        let Item::Event(event) = item else { continue };
        if event.event_type == RESTORE_ID && event.data.is_empty() {
            continue;
        }
        let json = serde_json::from_str::<IgnoredAny>(&event.data);
        json.unwrap_or_else(|error| panic!("{error}: {event:?}"));
    }
    assert!(!decoder.is_mid_block());
}
