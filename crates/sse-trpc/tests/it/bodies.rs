//! Bodies: the callers whose bodies are read, the number of bytes, and the number of bodies in
//! flight.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;
use sse_core::{
    Caller, ConnectErrorKind, Target, Topic, UserId,
    access::{Access, OwnEventsOnly},
};
use sse_trpc::{Headers, Management, Procedure, Request};
use tokio::task::JoinHandle;

use crate::api::{Answer, Api, user};

const JSON: (&str, &str) = ("content-type", "application/json");

/// All procedures that are called with `POST`, by the right that a caller needs for its body to be
/// read.
const MUTATIONS: [&str; 15] = [
    "sendSuccess",
    "sendInfo",
    "sendWarning",
    "sendError",
    "sendNotification",
    "broadcastNotification",
    "sendSystemEvent",
    "broadcastSystemEvent",
    "publish",
    "join",
    "leave",
    "createTicket",
    "renew",
    "disconnect",
    "unknown",
];

/// Returns a body that must not be polled.
fn untouched() -> impl Stream<Item = Result<Bytes, ()>> {
    stream::poll_fn(|_| panic!("the body is read"))
}

/// Returns a body that sends a number of bytes, counted and one chunk after the other, and then
/// stalls.
fn stalling(bytes: usize, polled: &Cell<usize>) -> impl Stream<Item = Result<Bytes, ()>> {
    stream::poll_fn(move |_| {
        if polled.get() >= bytes {
            return Poll::Pending;
        }
        polled.set(polled.get() + 1024);
        Poll::Ready(Some(Ok(Bytes::from_static(&[b' '; 1024]))))
    })
}

async fn status(api: &Api, path: &str, body: impl Stream<Item = Result<Bytes, ()>>) -> u16 {
    Answer::of(api.stream("POST", path, &[JSON], body).await)
        .await
        .status
}

#[tokio::test]
async fn body_of_a_refused_caller_is_not_read() {
    for (cause, expected) in [
        (ConnectErrorKind::Unauthenticated, 401),
        (
            ConnectErrorKind::CrossSite("https://other.example".to_owned()),
            403,
        ),
        (ConnectErrorKind::RateLimit, 429),
        (ConnectErrorKind::Unavailable, 503),
        (ConnectErrorKind::Banned, 403),
    ] {
        let may_renew = matches!(
            cause,
            ConnectErrorKind::Unauthenticated | ConnectErrorKind::CrossSite(_)
        );
        let api = Api::open().refusing(cause.clone());
        for name in MUTATIONS
            .iter()
            .filter(|name| **name != "renew" || !may_renew)
        {
            let expected = if *name == "unknown" { 404 } else { expected };
            assert_eq!(
                status(&api, &format!("sse.{name}"), untouched()).await,
                expected,
                "{name} {cause}"
            );
        }
        let batch = "sse.publish,sse.sendInfo,sse.unknown?batch=1";
        assert!(status(&api, batch, untouched()).await >= 207, "{cause}");
    }
}

#[tokio::test]
async fn body_of_a_caller_without_rights_is_not_read() {
    let anonymous = Api::with_access(OwnEventsOnly).caller(Caller::anonymous());
    for name in MUTATIONS.iter().filter(|name| **name != "renew") {
        let expected = if *name == "unknown" { 404 } else { 401 };
        assert_eq!(
            status(&anonymous, &format!("sse.{name}"), untouched()).await,
            expected,
            "{name}"
        );
    }
    let ada = Api::with_access(OwnEventsOnly).user("ada");
    for name in [
        "broadcastNotification",
        "broadcastSystemEvent",
        "disconnect",
    ] {
        assert_eq!(
            status(&ada, &format!("sse.{name}"), untouched()).await,
            403,
            "{name}"
        );
    }
}

#[tokio::test]
async fn body_after_an_invalid_head_is_not_read() {
    let api = Api::open();
    for (method, path, headers, expected) in [
        ("POST", "sse.getStats", &[JSON][..], 405),
        ("PUT", "sse.publish", &[JSON], 405),
        ("POST", "sse.publish", &[], 415),
        (
            "POST",
            "sse.publish",
            &[("content-type", "text/plain")],
            415,
        ),
        ("POST", "%", &[JSON], 400),
        (
            "POST",
            "sse.publish",
            &[JSON, ("content-length", "1048577")],
            413,
        ),
        (
            "POST",
            "sse.renew",
            &[JSON, ("content-length", "16385")],
            413,
        ),
        ("POST", "sse.publish,sse.getStats?batch=1", &[JSON], 400),
        ("HEAD", "sse.publish", &[JSON], 204),
        ("GET", "sse.getStats", &[("content-length", "7")], 200),
    ] {
        let answer = Answer::of(api.stream(method, path, headers, untouched()).await).await;
        assert_eq!(answer.status, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn limits_are_checked_before_the_body_is_read() {
    let mut api = Api::open().user("ada");
    api.management = api.management.limit(|demand| match demand.calls {
        1 => Ok(()),
        _ => Err(ConnectErrorKind::RateLimit),
    });
    let answer = api
        .stream(
            "POST",
            "sse.publish,sse.publish?batch=1",
            &[JSON],
            untouched(),
        )
        .await;
    let answer = Answer::of(answer).await;
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
    let api = Api::open().refusing(ConnectErrorKind::RateLimit);
    let answer = Answer::of(
        api.stream("POST", "sse.publish", &[JSON], untouched())
            .await,
    )
    .await;
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(start_paused = true)]
async fn only_a_token_is_read_from_a_stranger() {
    let api = Api::open().refusing(ConnectErrorKind::Unauthenticated);
    let polled = Cell::new(0);
    assert_eq!(
        status(&api, "sse.renew", stalling(1 << 20, &polled)).await,
        413
    );
    assert_eq!(polled.get(), 17 << 10);
    // The limit of a batch of renewals is the same, and other calls in the batch do not raise it.
    for path in [
        "sse.renew,sse.renew?batch=1",
        "sse.renew,sse.publish?batch=1",
    ] {
        polled.set(0);
        assert!(
            status(&api, path, stalling(1 << 20, &polled)).await >= 207,
            "{path}"
        );
        assert_eq!(polled.get(), 17 << 10, "{path}");
    }
}

#[tokio::test]
async fn app_procedure_can_bound_its_input() {
    let mut api = Api::open();
    let echo =
        Procedure::mutation(|_, input: serde_json::Value| async move { Ok(input) }).max_input(9);
    api.management = api.management.procedure("own.echo", echo);
    assert_eq!(
        api.post("own.echo", r#"{"a":123}"#.into()).await.data(),
        json!({ "a": 123 })
    );
    assert_eq!(
        api.post("own.echo", r#"{"a":1234}"#.into()).await.status,
        413
    );
}

/// Starts a publish of a caller, with a body that never ends.
fn stalled(management: &Management, caller: Caller, declared: Option<usize>) -> JoinHandle<u16> {
    let (management, length) = (
        management.clone(),
        declared.map(|length| length.to_string()),
    );
    tokio::spawn(async move {
        let headers = Headers::read(|name| match name {
            "content-type" => Some(b"application/json".as_slice()),
            "content-length" => length.as_deref().map(str::as_bytes),
            _ => None,
        });
        let (caller, address) = (Ok(caller), Some([192, 0, 2, 1].into()));
        let request = Request {
            method: "POST",
            path: "sse.publish",
            query: None,
            headers,
            caller,
            address,
        };
        let chunk = stream::iter([Ok::<_, ()>(Bytes::from_static(&[b' '; 4096]))]);
        management
            .handle(request, chunk.chain(stream::pending()))
            .await
            .status
    })
}

/// Starts calls of a caller. Returns the calls that wait for more bytes, and the results of the
/// others.
async fn begin(
    management: &Management,
    caller: &Caller,
    calls: usize,
    declared: Option<usize>,
) -> (Vec<JoinHandle<u16>>, Vec<u16>) {
    let (mut waiting, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..calls {
        let call = stalled(management, caller.clone(), declared);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        if call.is_finished() {
            answered.push(call.await.unwrap());
        } else {
            waiting.push(call);
        }
    }
    (waiting, answered)
}

#[tokio::test(start_paused = true)]
async fn one_caller_cannot_hold_the_bytes_of_all() {
    const KIB: usize = 1024;
    for declared in [Some(4 * KIB + 1), None] {
        let api = Api::with_access(BackendsManage).limits(|limits| {
            (limits.body, limits.bodies_per_caller, limits.bodies) =
                (10 * KIB, 20 * KIB, 100 * KIB);
        });
        let management = &api.management;
        let each = if declared.is_some() { 4 } else { 5 };
        let (ada, refused) = begin(management, &user("ada"), 10, declared).await;
        assert_eq!((ada.len(), refused), (each, vec![429; 10 - each]));
        // Three quarters are for users, and the rest is reserved for backends.
        let mut all = Vec::new();
        for name in ["bob", "carol", "dave", "erin"] {
            let (waiting, refused) = begin(management, &user(name), 10, declared).await;
            assert!(
                refused.iter().all(|status| [429, 503].contains(status)),
                "{refused:?}"
            );
            all.extend(waiting);
        }
        assert!(all.len() + each <= 75 / 4, "{}", all.len());
        assert_eq!(begin(management, &user("eve"), 1, declared).await.1, [503]);
        let (backend, refused) = begin(management, &backend(), 100, declared).await;
        assert!((5..=7).contains(&backend.len()) && refused.iter().all(|status| *status == 503));
        // Calls whose callers disconnect return their bytes.
        ada.iter().for_each(JoinHandle::abort);
        for call in ada {
            call.await.unwrap_err();
        }
        assert_eq!(
            begin(management, &user("ada"), 10, declared).await.0.len(),
            each
        );
        // The remaining calls are answered.
        for call in all {
            assert_eq!(call.await.unwrap(), 408);
        }
    }
}

struct BackendsManage;

impl Access for BackendsManage {
    fn may_join(&self, _: &Caller, _: &Topic) -> bool {
        false
    }

    fn may_publish(&self, _: &Caller, _: &Target) -> bool {
        true
    }

    fn may_manage(&self, caller: &Caller) -> bool {
        !caller.claims.is_empty()
    }
}

fn backend() -> Caller {
    let mut caller = Caller::anonymous();
    caller.claims.insert("backend".into(), true.into());
    caller
}

#[tokio::test]
async fn declared_bytes_are_limited_before_reading() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let mut api = Api::open().user("ada");
    api.management = api.management.limit_bytes(move |caller, bytes| {
        assert_eq!(caller.user.as_ref().map(UserId::as_str), Some("ada"));
        let all = counted.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > 100 {
            Err(Duration::from_millis(1500))
        } else {
            Ok(())
        }
    });
    let message = r#"{"message":"twenty-five"}"#;
    for (length, expected) in [
        (Some("25"), 200),
        (None, 200),
        (None, 200),
        (Some("25"), 200),
        (None, 429),
    ] {
        let headers = length.map(|length| ("content-length", length));
        let headers: Vec<_> = [Some(JSON), headers].into_iter().flatten().collect();
        assert_eq!(
            api.ask("POST", "sse.sendInfo", &headers, message)
                .await
                .status,
            expected
        );
    }
    assert_eq!(asked.load(Ordering::Relaxed), 125);
    let headers = [JSON, ("content-length", "25")];
    let answer = Answer::of(
        api.stream("POST", "sse.sendInfo", &headers, untouched())
            .await,
    )
    .await;
    answer.refused(429, "TOO_MANY_REQUESTS", "this caller sends too many bytes");
    assert_eq!(answer.header("retry-after"), Some("2"));
}
