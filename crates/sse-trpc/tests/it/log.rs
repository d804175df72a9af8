//! Features of an event log: ids, keys, and errors of a backplane.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use sse_core::{
    Event, Handshake, Manager, PublishError, Retention,
    access::AllowAll,
    backplane::{Backplane, BackplaneError, Cursor, MemoryBackplane, ReadLimit},
    config::KeyLimits,
    event::EventId,
    stats::LogState,
};
use sse_testkit::backplane::ScriptedBackplane;
use sse_trpc::{Code, Context, Error, Procedure};

use crate::api::{Answer, Api};

fn logging() -> Api {
    Api::of(
        Manager::builder()
            .access(AllowAll)
            .log(Retention::default())
            .build()
            .unwrap(),
    )
}

fn id_of(data: &Value) -> String {
    data["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{data}"))
        .to_owned()
}

#[tokio::test]
async fn only_logged_events_have_an_id() {
    let api = logging();
    let mut ada = api.listen("ada", &[]);
    for (procedure, input, is_logged) in [
        (
            "sse.sendSuccess",
            json!({ "message": "m", "userId": "ada" }),
            true,
        ),
        ("sse.broadcastSystemEvent", json!({ "event": "e" }), true),
        (
            "sse.publish",
            json!({ "target": "all", "event": "e", "data": 1 }),
            true,
        ),
        (
            "sse.publish",
            json!({ "target": "all", "event": "e", "data": 1, "ephemeral": false }),
            true,
        ),
        (
            "sse.publish",
            json!({ "target": "all", "event": "e", "data": 1, "ephemeral": true }),
            false,
        ),
        (
            "sse.publish",
            json!({ "target": { "client": ada.id() }, "event": "e", "data": 1 }),
            false,
        ),
    ] {
        let data = api.mutate(procedure, input.clone()).await.data();
        let events = ada.events();
        assert_eq!(
            (data["matched"].as_u64(), events.len()),
            (Some(1), 1),
            "{input}"
        );
        assert_eq!(data.get("id").is_some(), is_logged, "{input}: {data}");
        assert_eq!(data.get("duplicate"), None);
        if is_logged {
            assert_eq!(id_of(&data), events[0].id, "{input}");
        }
    }
}

#[tokio::test]
async fn first_publish_with_a_key_counts() {
    let api = logging();
    let mut ada = api.listen("ada", &[]);
    let input =
        |key: &str, data: u32| json!({ "target": "all", "event": "e", "data": data, "key": key });
    let first = api.mutate("sse.publish", input("order 7", 1)).await.data();
    let again = api.mutate("sse.publish", input("order 7", 2)).await.data();
    let other = api.mutate("sse.publish", input("order 8", 3)).await.data();
    assert_eq!(
        again,
        json!({ "matched": 0, "id": id_of(&first), "duplicate": true })
    );
    assert_ne!(id_of(&other), id_of(&first));
    let data: Vec<_> = ada.events().into_iter().map(|event| event.data).collect();
    assert_eq!(data, ["1", "3"]);
}

/// Publishes as a caller to itself, or as a backend to all, and returns the answer.
async fn publish(manager: &Manager, user: Option<&str>, more: Value) -> Answer {
    let mut input = json!({ "target": "all", "event": "e", "data": 1 });
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let api = Api::of(manager.clone());
    let api = user.into_iter().fold(api, Api::user);
    api.mutate("sse.publish", input).await
}

#[tokio::test(start_paused = true)]
async fn keys_are_scoped_and_bounded_per_caller() {
    let limits = KeyLimits::default().per_user(2).of_users(3).of_backends(1);
    let manager = Manager::builder()
        .access(AllowAll)
        .log(Retention::default())
        .keys(limits)
        .build()
        .unwrap();
    let callers = [Some("ada"), Some("ben"), None];
    for user in callers {
        assert_eq!(
            publish(&manager, user, json!({ "key": "k" }))
                .await
                .data()
                .get("duplicate"),
            None
        );
    }
    publish(&manager, Some("ada"), json!({ "key": "l" }))
        .await
        .data();
    for (user, status, code) in [
        (Some("ada"), 429, "TOO_MANY_REQUESTS"),
        (Some("ben"), 503, "SERVICE_UNAVAILABLE"),
        (None, 503, "SERVICE_UNAVAILABLE"),
    ] {
        let refused = publish(&manager, user, json!({ "key": "more" })).await;
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (status, Some("120")),
            "{user:?}"
        );
        assert_eq!(refused.json()["error"]["data"]["code"], code);
        let message = refused.json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.contains("with a key or retry_for"), "{message}");
    }
    for user in callers {
        assert_eq!(
            publish(&manager, user, json!({ "key": "k" })).await.data()["duplicate"],
            true
        );
        publish(&manager, user, json!({})).await.data();
    }
}

#[tokio::test]
async fn app_procedure_knows_its_callers_scope() {
    let mut api = logging();
    let keyed = Procedure::mutation(|context: Context, _: Value| async move {
        let event = Event::text("x")
            .with_idempotency_key("k")
            .with_key_scope(context.key_scope());
        Ok::<_, Error>(context.manager().all().publish(event).await?.duplicate)
    });
    api.management = api.management.procedure("keyed", keyed);
    for (user, duplicate) in [("ada", false), ("ben", false), ("ada", true)] {
        api = api.user(user);
        assert_eq!(
            api.mutate("keyed", Value::Null).await.data(),
            duplicate,
            "{user}"
        );
    }
}

#[tokio::test]
async fn a_key_is_checked() {
    let api = logging();
    let mut ada = api.listen("ada", &[]);
    for (change, problem) in [
        (
            json!({ "key": "" }),
            "key: must be 1 to 128 bytes long, not 0",
        ),
        (
            json!({ "key": "k".repeat(129) }),
            "key: must be 1 to 128 bytes long, not 129",
        ),
        (
            json!({ "key": "k", "ephemeral": true }),
            "key: requires an event in the event log",
        ),
        (
            json!({ "key": "k", "target": { "client": ada.id() } }),
            "key: requires an event in the event log",
        ),
    ] {
        let mut input = json!({ "target": "all", "event": "e", "data": 1 });
        input
            .as_object_mut()
            .unwrap()
            .append(&mut change.as_object().unwrap().clone());
        api.mutate("sse.publish", input).await.bad_request(problem);
    }
    assert_eq!(ada.events(), []);
    let longest = json!({ "target": "all", "event": "e", "data": 1, "key": "k".repeat(128) });
    assert_eq!(
        api.mutate("sse.publish", longest).await.data()["matched"],
        1
    );
}

#[tokio::test]
async fn app_ids_are_rejected_with_the_field() {
    let mut api = logging();
    let numbered = Procedure::mutation(|context: Context, _: Value| async move {
        let event = Event::text("x").with_id(EventId::from(7));
        Ok::<_, Error>(context.manager().all().publish(event).await?.matched)
    });
    api.management = api.management.procedure("numbered", numbered);
    api.mutate("numbered", Value::Null)
        .await
        .bad_request("id: event ids are assigned by the event log");
}

#[tokio::test]
async fn stats_include_the_log() {
    let api = logging();
    let mut ada = api.listen("ada", &[]);
    let input = json!({ "target": "all", "event": "e", "data": 1, "key": "k" });
    let id = id_of(&api.mutate("sse.publish", input.clone()).await.data());
    api.mutate("sse.publish", input).await.data();
    ada.events();
    let _resumed = api
        .manager
        .connect(Handshake::from_request("GET", None, Some(id.as_bytes())))
        .unwrap();
    let _other = api
        .manager
        .connect(Handshake::from_request("GET", None, Some(b"zz")))
        .unwrap();

    let log = api.query("sse.getStats", json!({})).await.data()["log"].clone();
    let (epoch, _) = id.split_once('-').unwrap();
    assert_eq!(
        (&log["head"], &log["trimmed"]),
        (&json!(id), &json!(format!("{epoch}-0")))
    );
    assert_eq!(
        (&log["backplane"], &log["state"], &log["lagMs"]),
        (&json!("memory"), &json!("current"), &json!(0))
    );
    assert_eq!(
        (&log["entries"], &log["duplicates"], &log["resumed"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert!(log["bytes"].as_u64().unwrap() > 0);
    let reasons: Vec<_> = log["gaps"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        reasons,
        [
            "damaged", "epoch", "future", "invalid", "overflow", "trimmed"
        ]
    );
    for number in [
        "replayed",
        "unreadable",
        "damaged",
        "reconnects",
        "reads",
        "appends",
        "appendFailures",
        "appendMs",
    ] {
        assert!(log[number].is_u64(), "{number}");
    }
    assert_eq!(
        Api::open()
            .query("sse.getStats", json!({}))
            .await
            .data()
            .get("log"),
        None
    );
}

/// Creates an API whose log is unavailable from now on. Returns its backplane too.
async fn unavailable() -> (Api, ScriptedBackplane) {
    let backplane = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
    let manager = Manager::builder()
        .access(AllowAll)
        .backplane(backplane.clone())
        .build()
        .unwrap();
    manager.follow();
    while manager.log_stats().unwrap().state != LogState::Current {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    backplane.set_away(true);
    (Api::of(manager), backplane)
}

#[tokio::test(start_paused = true)]
async fn unavailable_log_is_a_503_with_retry_after() {
    let (api, _) = unavailable().await;
    let publish = json!({ "target": "all", "event": "e", "data": 1 });
    let ephemeral = json!({ "target": "all", "event": "e", "data": 1, "ephemeral": true });
    for (procedure, input) in [
        ("sse.publish", publish.clone()),
        ("sse.publish", ephemeral),
        ("sse.sendInfo", json!({ "message": "m", "userId": "ada" })),
    ] {
        let answer = api.mutate(procedure, input).await;
        answer.refused(503, "SERVICE_UNAVAILABLE", "the event log is unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"), "{}", answer.text);
    }

    let body = |second: &str| format!(r#"{{"0":{publish},"1":{second}}}"#);
    let both = api
        .post(
            "sse.publish,sse.publish?batch=1",
            body(&publish.to_string()),
        )
        .await;
    assert_eq!((both.status, both.header("retry-after")), (503, Some("1")));
    // One of the calls is invalid, so a retry of the batch does not help.
    let one = api
        .post("sse.publish,sse.publish?batch=1", body("{}"))
        .await;
    assert_eq!(
        (one.status, one.header("retry-after")),
        (207, None),
        "{}",
        one.text
    );
}

#[tokio::test(start_paused = true)]
async fn retried_publish_succeeds_after_recovery() {
    let (api, backplane) = unavailable().await;
    let input = |retry_for: Value| json!({ "target": "all", "event": "e", "data": 1, "retryForMs": retry_for });
    api.mutate("sse.publish", input(json!(30_001)))
        .await
        .bad_request("retryForMs: must be 0 to 30000, not 30001");
    assert_eq!(
        api.mutate("sse.publish", input(json!(2000))).await.status,
        503
    );

    let publishing = api.mutate("sse.publish", input(json!(20_000)));
    let returning = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        backplane.set_away(false);
    };
    let (answer, ()) = tokio::join!(publishing, returning);
    assert!(answer.data()["id"].is_string());
    let bounds = backplane.bounds().await.unwrap();
    let all = ReadLimit {
        entries: 100,
        bytes: 1 << 20,
    };
    let page = backplane
        .read(&Cursor::new(bounds.epoch, bounds.trimmed), all)
        .await
        .unwrap();
    // The log can also contain a probe, with which the manager noticed the recovery: one byte,
    // zero, and similar.
    let events = page
        .entries
        .iter()
        .filter(|entry| entry.payload.iter().any(|byte| *byte != 0));
    assert_eq!(events.count(), 1);
}

#[tokio::test]
async fn longest_retry_after_counts_and_is_at_least_1_s() {
    let mut api = Api::open();
    for (path, millis) in [("at.once", 0), ("soon", 1001), ("later", 7000)] {
        let later = Procedure::mutation(move |_: Context, _: Value| async move {
            let error = Error::new(Code::ServiceUnavailable, "later");
            Err::<(), _>(error.retry_after(Duration::from_millis(millis)))
        });
        api.management = api.management.procedure(path, later);
    }
    for (path, expected) in [
        ("at.once", "1"),
        ("soon", "2"),
        ("soon,at.once?batch=1", "2"),
        ("soon,later,at.once?batch=1", "7"),
    ] {
        let answer = api.post(path, String::new()).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some(expected)),
            "{path}"
        );
    }
}

#[test]
fn backplane_errors_are_not_disclosed() {
    for (error, code, message) in [
        (
            PublishError::Backplane(BackplaneError::rejected("NOAUTH hunter2")),
            Code::InternalServerError,
            "the event log rejected the event",
        ),
        (
            PublishError::Backplane(BackplaneError::TooLarge {
                size: 70,
                limit: 64,
            }),
            Code::PayloadTooLarge,
            "the event has 70 bytes in the event log, which takes 64",
        ),
    ] {
        assert_eq!(Error::from(error), Error::new(code, message));
    }
    let retry_after = Duration::from_secs(7);
    let source = BackplaneError::unavailable(retry_after, "redis://:hunter2@10.0.0.7 is down");
    let expected = Error::new(Code::ServiceUnavailable, "the event log is unavailable");
    assert_eq!(
        Error::from(PublishError::Unavailable {
            retry_after,
            source
        }),
        expected.retry_after(retry_after)
    );
    let id = EventId::new("7f3a-12").unwrap();
    let message = "the event was logged as 7f3a-12 but was not delivered in time";
    assert_eq!(
        Error::from(PublishError::Unconfirmed { id, retry_after }),
        Error::new(Code::ServiceUnavailable, message).retry_after(retry_after)
    );
}

/// Opens a subscription. Returns the stream, and the text that has arrived so far.
async fn subscribed(api: &Api, target: &str, last_event_id: &str) -> (sse_core::Session, String) {
    let headers = [
        ("accept", "text/event-stream"),
        ("last-event-id", last_event_id),
    ];
    let response = api.respond("GET", target, &headers, "").await;
    let sse_trpc::Content::Events(mut session) = response.body else {
        panic!("{response:?}")
    };
    let text = text(&mut session);
    (session, text)
}

fn text(session: &mut sse_core::Session) -> String {
    let mut text = String::new();
    while let Some(Some(bytes)) = session.next().now_or_never() {
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    text
}

#[tokio::test]
async fn tracked_subscription_resumes_at_its_position() {
    let api = logging().user("ada");
    let publish = |data: u32| {
        let (api, input) = (
            &api,
            json!({ "target": { "topic": "news" }, "event": "e", "data": data }),
        );
        async move { id_of(&api.mutate("sse.publish", input).await.data()) }
    };
    let target = "sse.events?input=%7B%22topics%22%3A%5B%22news%22%5D%7D";
    let (session, hello) = subscribed(&api, target, "").await;
    let epoch = api.manager.log_stats().unwrap().head.epoch;
    assert!(
        hello.contains(&format!(
            "\n\nid: {epoch}-0\ndata: {{\"type\":\"connection\","
        )),
        "{hello}"
    );
    drop(session);

    let ids = [publish(1).await, publish(2).await];
    let (mut session, missed) = subscribed(&api, target, &format!("{epoch}-0")).await;
    let (hello, events) = missed.split_at(missed.find(&format!("id: {}", ids[0])).unwrap());
    assert!(
        hello.contains(r#""resumed":true"#) && hello.contains(&format!("id: {epoch}-0\n")),
        "{hello}"
    );
    let expected =
        |id: &str, data| format!("id: {id}\ndata: {{\"type\":\"e\",\"data\":{data}}}\n\n");
    assert_eq!(events, expected(&ids[0], 1) + &expected(&ids[1], 2));

    // An event without an id must not take the id of the event before it.
    let input = json!({ "target": "all", "event": "e", "data": 3, "ephemeral": true });
    assert_eq!(
        api.mutate("sse.publish", input).await.data(),
        json!({ "matched": 1 })
    );
    let expected = format!(
        "id: \ndata: {{\"type\":\"e\",\"data\":3}}\n\nid: {}\nevent: restore-id\ndata: \n\n",
        ids[1]
    );
    assert_eq!(text(&mut session), expected);
}

#[tokio::test(start_paused = true)]
async fn pings_carry_the_position() {
    let manager = Manager::builder()
        .access(AllowAll)
        .log(Retention::default());
    let api = Api::of(
        manager
            .heartbeat_interval(Duration::from_secs(1))
            .build()
            .unwrap(),
    )
    .user("ada");
    let (mut session, _) = subscribed(&api, "sse.events", "").await;
    // The event is not for this stream: only a ping shows that the stream missed nothing.
    let elsewhere = json!({ "target": { "user": "ben" }, "event": "e", "data": 1 });
    let id = id_of(&api.mutate("sse.publish", elsewhere).await.data());
    assert_eq!(
        session.next().await.unwrap(),
        format!("id: {id}\nevent: ping\ndata: \n\n")
    );
    // An event without an id is still not tracked.
    let ephemeral = json!({ "target": "all", "event": "e", "data": 3, "ephemeral": true });
    api.mutate("sse.publish", ephemeral).await.data();
    let next = text(&mut session);
    assert!(
        next.ends_with(&format!("id: {id}\nevent: restore-id\ndata: \n\n")),
        "{next}"
    );
}
