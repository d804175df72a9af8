//! `sse.events`, and subscriptions of an app's own, byte by byte.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use sse_core::{
    Caller, ConnectErrorKind, DisconnectOptions, Event, EventType, Manager, Session,
    ShutdownOptions, Target, UserId, access::OwnEventsOnly, event::EventId,
};
use sse_notify::Notifier;
use sse_trpc::{Code, Content, Context, Error, Procedure, Transformer};

use crate::api::{Answer, Api, user};

const EVENT_STREAM: &[(&str, &str)] = &[("accept", "text/event-stream")];

async fn subscribe(api: &Api, target: &str) -> Session {
    subscribe_with(api, target, EVENT_STREAM).await
}

async fn subscribe_with(api: &Api, target: &str, headers: &[(&str, &str)]) -> Session {
    let response = api.respond("GET", target, headers, "").await;
    assert_eq!(response.status, 200);
    for header in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
        ("vary", "trpc-accept, accept"),
    ] {
        let header = (header.0, header.1.into());
        assert!(response.headers.contains(&header), "{header:?}");
    }
    let Content::Events(session) = response.body else {
        panic!("refused: {}", Answer::of(response).await.text)
    };
    session
}

/// Returns the text that has arrived since the last call.
fn text(session: &mut Session) -> String {
    let mut text = String::new();
    while let Some(Some(bytes)) = session.next().now_or_never() {
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    text
}

async fn greeted(api: &Api, target: &str) -> Session {
    let mut session = subscribe(api, target).await;
    let hello = text(&mut session);
    assert!(
        hello.contains(r#"data: {"type":"connection","data":{"status":"connected","#),
        "{hello}"
    );
    session
}

#[tokio::test]
async fn subscription_begins_with_connected_and_id() {
    let api = Api::open().user("42");
    let mut session = subscribe(&api, "sse.events").await;
    let id = session.client_id();
    let hello = text(&mut session);
    let (retry, rest) = hello.split_once('\n').unwrap();
    assert!(retry.starts_with("retry: "), "{hello}");
    let (connected, message) = rest.split_once("\n\n").unwrap();
    assert_eq!(
        connected,
        "event: connected\ndata: {\"reconnectAfterInactivityMs\":75000}"
    );
    let expected = format!(
        "id: \ndata: {{\"type\":\"connection\",\"data\":{{\"status\":\"connected\",\"clientId\":\"{id}\",\"userId\":\"42\","
    );
    assert!(message.starts_with(&expected), "{message}");
    assert_eq!(api.manager.stats().total_connections, 1);
}

#[tokio::test]
async fn events_come_with_their_types_as_json() {
    let api = Api::open().user("42");
    let mut session = greeted(&api, "sse.events").await;
    let everyone = api.manager.all();
    everyone.publish(Event::text("two\nlines")).await.unwrap();
    assert_eq!(
        text(&mut session),
        "id: \ndata: {\"type\":\"message\",\"data\":\"two\\nlines\"}\n\n"
    );
    let numbers = Event::json(&[1, 2])
        .unwrap()
        .with_event_type(EventType::from_static("numbers"));
    api.manager
        .user("42")
        .publish(numbers.with_retry(Duration::from_secs(1)))
        .await
        .unwrap();
    assert_eq!(
        text(&mut session),
        "retry: 1000\nid: \ndata: {\"type\":\"numbers\",\"data\":[1,2]}\n\n"
    );
    // The data has the form of JSON, but is a text.
    api.manager.all().publish(Event::text("42")).await.unwrap();
    assert_eq!(
        text(&mut session),
        "id: \ndata: {\"type\":\"message\",\"data\":\"42\"}\n\n"
    );
    Notifier::new(api.manager.clone())
        .user("42")
        .success("done")
        .await
        .unwrap();
    assert!(
        text(&mut session)
            .starts_with("id: \ndata: {\"type\":\"notification\",\"data\":{\"type\":\"success\",")
    );
}

#[tokio::test]
async fn events_with_ids_are_tracked_and_others_are_not() {
    let api = Api::open();
    let mut session = greeted(&api, "sse.events").await;
    let publish = |event| async { api.manager.all().publish(event).await.unwrap().matched };
    publish(Event::text("a").with_id(EventId::from(7))).await;
    assert_eq!(
        text(&mut session),
        "id: 7\ndata: {\"type\":\"message\",\"data\":\"a\"}\n\n"
    );
    publish(Event::text("b")).await;
    let expected =
        "id: \ndata: {\"type\":\"message\",\"data\":\"b\"}\n\nid: 7\nevent: restore-id\ndata: \n\n";
    assert_eq!(text(&mut session), expected);
}

#[tokio::test]
async fn a_client_that_returns_keeps_its_last_event_id() {
    let api = Api::open();
    let input = "sse.events?input=%7B%22lastEventId%22%3A%225%22%7D";
    for (target, headers) in [
        (input, EVENT_STREAM),
        ("sse.events?lastEventId=5", EVENT_STREAM),
        ("sse.events?Last-Event-Id=5", EVENT_STREAM),
        ("sse.events", &[("last-event-id", "5")]),
        // The header takes precedence over the input.
        (
            "sse.events?input=%7B%22lastEventId%22%3A%223%22%7D",
            &[("last-event-id", "5")],
        ),
    ] {
        let mut session = subscribe_with(&api, target, headers).await;
        let hello = text(&mut session);
        assert!(
            hello.ends_with("id: 5\nevent: restore-id\ndata: \n\n"),
            "{target}: {hello}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_pings() {
    let api = Api::of(
        Manager::builder()
            .heartbeat_interval(Duration::from_secs(1))
            .build()
            .unwrap(),
    );
    let mut session = greeted(&api, "sse.events").await;
    let ping = session.next().await.unwrap();
    assert_eq!(ping, "event: ping\ndata: \n\n");
}

#[tokio::test]
async fn only_banned_clients_are_sent_a_return() {
    let api = Api::open().user("42");
    let mut session = greeted(&api, "sse.events").await;
    let how = DisconnectOptions::new()
        .with_reason("cleaning")
        .with_ban_for(Duration::from_secs(3600));
    api.manager
        .disconnect(Target::User(UserId::new("42").unwrap()), how)
        .await;
    let end = text(&mut session);
    assert!(end.contains(r#""data":{"event":"disconnected","#), "{end}");
    assert!(end.ends_with("\n\nevent: return\ndata: \n\n"), "{end}");
    assert_eq!(session.next().now_or_never(), Some(None));

    // A banned user receives the reason.
    let answer = api.ask("GET", "sse.events", EVENT_STREAM, "").await;
    assert!(answer.text.contains(r#""code":-32003"#), "{}", answer.text);

    let api = api.user("43");
    let mut session = greeted(&api, "sse.events").await;
    let shutdown = tokio::spawn({
        let manager = api.manager.clone();
        async move { manager.shutdown(ShutdownOptions::default()).await }
    });
    let end = session.next().await.unwrap();
    let end = std::str::from_utf8(&end).unwrap();
    assert!(
        end.contains(r#""data":{"event":"shutdown","#) && !end.contains("event: return"),
        "{end}"
    );
    drop(session);
    shutdown.await.unwrap();
}

#[tokio::test]
async fn subscription_has_the_requested_topics() {
    let api = Api::open();
    let mut session = greeted(
        &api,
        "sse.events?input=%7B%22topics%22%3A%5B%22news%22%5D%7D",
    )
    .await;
    assert_eq!(
        api.manager
            .topic("news")
            .publish(Event::text("x"))
            .await
            .unwrap()
            .matched,
        1
    );
    assert!(text(&mut session).contains("\"x\""));
}

/// Returns the stream that reports an error.
fn failure(shape: &str) -> String {
    format!("event: connected\ndata: {{}}\n\nevent: serialized-error\ndata: {shape}\n\n")
}

#[tokio::test]
async fn refusals_are_sent_in_the_stream() {
    let api = Api::with_access(OwnEventsOnly).user("42");
    for (method, target, shape) in [
        (
            "GET",
            "sse.events?input=%7B%22topics%22%3A%5B%22news%22%5D%7D",
            r#"{"message":"topic \"news\" is not for this caller","code":-32003,"data":{"code":"FORBIDDEN","httpStatus":403,"path":"sse.events"}}"#,
        ),
        (
            "GET",
            "sse.events?input=%7B%22topics%22%3A%5B%22%22%5D%7D",
            r#"{"message":"topics[0]: is empty","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"sse.events"}}"#,
        ),
        (
            "GET",
            "sse.events?input=%7B%22lastEventId%22%3A7%7D",
            r#"{"message":"lastEventId: is not a string","code":-32600,"data":{"code":"BAD_REQUEST","httpStatus":400,"path":"sse.events"}}"#,
        ),
        (
            "POST",
            "sse.events",
            r#"{"message":"Unsupported POST-request to subscription procedure at path \"sse.events\"","code":-32005,"data":{"code":"METHOD_NOT_SUPPORTED","httpStatus":405,"path":"sse.events"}}"#,
        ),
    ] {
        let answer = api
            .ask(method, target, &[("content-type", "application/json")], "")
            .await;
        assert_eq!(
            (answer.status, answer.text),
            (200, failure(shape)),
            "{target}"
        );
        assert_eq!(
            answer.headers[0],
            ("content-type", "text/event-stream".into())
        );
    }
    assert_eq!(api.manager.stats().total_connections, 0);
}

#[tokio::test]
async fn full_server_sends_a_retry_delay() {
    let api = Api::of(Manager::builder().max_connections(1).build().unwrap());
    let _first = greeted(&api, "sse.events").await;
    let answer = api.ask("GET", "sse.events", EVENT_STREAM, "").await;
    // The client reconnects automatically after this number.
    assert!(answer.text.contains(
        r#"{"message":"too many connections","code":-32603,"data":{"code":"SERVICE_UNAVAILABLE","#
    ));
    assert!(answer.text.starts_with("retry: "), "{}", answer.text);
}

#[derive(Deserialize)]
struct Nothing {}

/// Causes, each with its status and name.
const TEMPORARY: [(ConnectErrorKind, u16, &str); 8] = [
    (ConnectErrorKind::Unavailable, 503, "SERVICE_UNAVAILABLE"),
    (ConnectErrorKind::Starting, 503, "SERVICE_UNAVAILABLE"),
    (ConnectErrorKind::RateLimit, 429, "TOO_MANY_REQUESTS"),
    (ConnectErrorKind::UserLimit, 429, "TOO_MANY_REQUESTS"),
    (ConnectErrorKind::AddressLimit, 429, "TOO_MANY_REQUESTS"),
    (ConnectErrorKind::Full, 503, "SERVICE_UNAVAILABLE"),
    (ConnectErrorKind::ShuttingDown, 503, "SERVICE_UNAVAILABLE"),
    (
        ConnectErrorKind::TooManyDialects,
        503,
        "SERVICE_UNAVAILABLE",
    ),
];

#[tokio::test]
async fn a_temporary_cause_is_final_for_no_subscription() {
    for (cause, status, name) in TEMPORARY {
        assert!(cause.is_temporary());
        let by_caller = Api::open().refusing(cause.clone());
        let mut by_limit = Api::open();
        let why = cause.clone();
        by_limit.management = by_limit.management.limit(move |_| Err(why.clone()));
        let mut by_params = Api::open();
        let why = cause.clone();
        by_params.management = by_params.management.identify(move |_, _| {
            let error = Error::from(&why);
            async move { Err(error) }
        });
        let mut by_procedure = Api::open();
        let why = cause.clone();
        let refusing = Procedure::subscription(move |context: Context, _: Nothing| {
            let handshake = context.handshake().refuse(why.clone());
            async move { Ok(handshake) }
        });
        by_procedure.management = by_procedure.management.procedure("sse.events", refusing);
        let params = "sse.events?connectionParams=%7B%22token%22%3A%22a%22%7D";
        for (where_from, api, target) in [
            ("caller", by_caller, "sse.events"),
            ("limit", by_limit, "sse.events"),
            ("connectionParams", by_params, params),
            ("procedure", by_procedure, "sse.events"),
        ] {
            let answer = api.ask("GET", target, EVENT_STREAM, "").await;
            let shown = format!("{cause:?} of {where_from}: {}", answer.text);
            assert_eq!(answer.status, 200, "{shown}");
            assert_eq!(
                answer.headers[0],
                ("content-type", "text/event-stream".into()),
                "{shown}"
            );
            // The number after which tRPC's client reconnects, and the delay of its `EventSource`.
            let shape = format!(r#""code":-32603,"data":{{"code":"{name}","httpStatus":{status},"#);
            assert!(answer.text.contains(&shape), "{shown}");
            let retry = answer
                .text
                .strip_prefix("retry: ")
                .and_then(|text| text.split_once('\n'));
            let retry: u64 = retry.expect(&shown).0.parse().unwrap();
            assert!((3000..=15_000).contains(&retry), "{shown}");
        }
    }
}

#[tokio::test]
async fn superjson_wraps_sent_values() {
    let mut api = Api::open();
    api.management = api.management.transformer(Transformer::SuperJson);
    let undefined = "%7B%22json%22%3Anull%2C%22meta%22%3A%7B%22values%22%3A%5B%22undefined%22%5D%2C%22v%22%3A1%7D%7D";
    let mut session = subscribe(&api, &format!("sse.events?input={undefined}")).await;
    let hello = text(&mut session);
    assert!(
        hello.contains("data: {\"json\":{\"type\":\"connection\",\"data\":{"),
        "{hello}"
    );
    api.manager.all().publish(Event::text("x")).await.unwrap();
    assert_eq!(
        text(&mut session),
        "id: \ndata: {\"json\":{\"type\":\"message\",\"data\":\"x\"}}\n\n"
    );
    let answer = api
        .ask(
            "POST",
            "sse.events",
            &[("content-type", "application/json")],
            "",
        )
        .await;
    assert!(
        answer
            .text
            .contains("data: {\"json\":{\"message\":\"Unsupported POST-request"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn unknown_subscription_is_not_found() {
    let answer = Api::open().ask("GET", "sse.zzz", EVENT_STREAM, "").await;
    answer.refused(404, "NOT_FOUND", "No procedure found on path \"sse.zzz\"");
}

#[tokio::test]
async fn subscription_cannot_be_batched() {
    let answer = Api::open()
        .ask("GET", "sse.events?batch=1", EVENT_STREAM, "")
        .await;
    assert_eq!(
        (answer.status, &answer.json()[0]["error"]["message"]),
        (400, &json!("Cannot batch subscription calls"))
    );
}

#[tokio::test]
async fn connection_params_authenticate_the_caller() {
    let mut api = Api::with_access(OwnEventsOnly);
    api.management = api.management.identify(|params, caller| async move {
        assert_eq!(caller, Ok(Caller::anonymous()));
        match params.get("token").map(String::as_str) {
            Some("ada's") => Ok(user("ada")),
            _ => Err(Error::new(Code::Unauthorized, "unknown token")),
        }
    });
    let session = greeted(
        &api,
        "sse.events?connectionParams=%7B%22token%22%3A%22ada's%22%7D",
    )
    .await;
    assert_eq!(
        session.user_id().map(|user| user.as_str().to_owned()),
        Some("ada".into())
    );
    let answer = api
        .ask(
            "GET",
            "sse.events?connectionParams=%7B%7D",
            EVENT_STREAM,
            "",
        )
        .await;
    answer.refused(401, "UNAUTHORIZED", "unknown token");
    for (params, message) in [
        ("zz", "Not JSON-parsable query params"),
        ("%7B%22a%22%3A1%7D", "Invalid connection params shape"),
        ("%5B%5D", "Invalid connection params shape"),
    ] {
        let answer = api
            .ask(
                "GET",
                &format!("sse.events?connectionParams={params}"),
                EVENT_STREAM,
                "",
            )
            .await;
        answer.refused(400, "PARSE_ERROR", message);
    }
    let _session = greeted(&api, "sse.events?connectionParams=null").await;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    order: u32,
}

#[tokio::test]
async fn app_subscription_is_served() {
    let mut api = Api::with_access(OwnEventsOnly).user("42");
    let orders = Procedure::subscription(|context: Context, input: Order| async move {
        if context.caller().user.is_none() {
            return Err(Error::new(Code::Unauthorized, "who is it?"));
        }
        Ok(context.handshake().topic(format!("orders/{}", input.order)))
    });
    api.management = api.management.procedure("orders.watch", orders);
    let input = "%7B%22order%22%3A7%2C%22lastEventId%22%3A%221%22%7D";
    let session = greeted(&api, &format!("orders.watch?input={input}")).await;
    assert_eq!(
        api.manager
            .topic("orders/7")
            .publish(Event::text("x"))
            .await
            .unwrap()
            .matched,
        1
    );
    drop(session);
    let api = api.caller(Caller::anonymous());
    let answer = api
        .ask(
            "GET",
            &format!("orders.watch?input={input}"),
            EVENT_STREAM,
            "",
        )
        .await;
    assert!(answer.text.contains("who is it?"), "{}", answer.text);
}
