//! Responses to requests for a stream.

use sse_core::{Event, Manager, Topic, access::OwnEventsOnly};
use tokio::time::timeout;

use crate::{
    adapter::{
        harness::Harness,
        running_app::{TIMEOUT, expect_end, json, next, next_data},
    },
    request::{HttpVersion, RawRequest},
};

pub async fn a_stream_has_its_status_and_headers(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut client = app.open("/events").await;
    let head = client.head().await.expect("a head").clone();
    assert_eq!(head.status, 200);
    for (name, value) in sse_core::dialect::STREAM_HEADERS {
        let values: Vec<_> = head.headers.get_all(name).collect();
        assert_eq!(values, [value], "{name}, once");
    }
    for name in ["content-length", "content-encoding"] {
        assert_eq!(head.headers.get(name), None, "{name}");
    }
    drop(client);
    app.finish().await;
}

pub async fn stream_begins_with_one_connection_block(harness: Harness) {
    let app = harness.start(Manager::builder());
    for (path, user) in [("/events", None), ("/events?user=42", Some("42"))] {
        let mut client = app.get(path).open().await.expect("an answer");
        let first = timeout(TIMEOUT, client.next_bytes())
            .await
            .expect("bytes")
            .expect("bytes");
        let text = String::from_utf8(first.expect("a first block")).expect("text");
        assert!(
            text.starts_with("retry: ") && text.ends_with("\n\n"),
            "{text:?}"
        );
        assert_eq!(text.matches("\n\n").count(), 1, "one block: {text:?}");
        let events = crate::decoder::Decoder::decode(text.as_bytes());
        assert_eq!(events[0].event_type, "connection");
        let data = json(&events[0]);
        assert_eq!(
            (&data["status"], &data["resumed"]),
            (&"connected".into(), &false.into())
        );
        assert_eq!(data["userId"].as_str(), user);
        assert_eq!(data["heartbeatMs"], 30_000);
        assert!(
            data["clientId"].as_str().is_some_and(|id| id.len() == 32),
            "{data}"
        );
        assert!(
            data["timestamp"]
                .as_u64()
                .is_some_and(|time| time > 1_700_000_000_000),
            "{data}"
        );
        let retry: u64 = text["retry: ".len()..]
            .lines()
            .next()
            .and_then(|it| it.parse().ok())
            .expect("a number");
        assert!((2250..=3750).contains(&retry), "{retry}");
    }
    app.finish().await;
}

pub async fn head_request_gets_headers_and_opens_no_stream(harness: Harness) {
    let app = harness.start(Manager::builder());
    let answer = app.ask("HEAD", "/events", &[], "").await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    for (name, value) in sse_core::dialect::STREAM_HEADERS {
        assert_eq!(answer.headers.get(name), Some(value));
    }
    // A length would describe the stream (RFC 9110, section 8.6).
    assert_eq!(answer.headers.get("content-length"), None);
    let stats = app.manager.stats();
    assert_eq!(
        (
            stats.counters.connected,
            stats.counters.refused.get("headers_only")
        ),
        (0, 1)
    );
    app.finish().await;
}

pub async fn other_methods_get_the_allowed_methods(harness: Harness) {
    let app = harness.start(Manager::builder());
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let answer = app.ask(method, "/events", &[], "").await;
        assert_eq!(
            (answer.status, answer.headers.get("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
        assert_eq!(
            answer.text().expect("text"),
            "a stream is opened with GET\n"
        );
    }
    assert_eq!(app.manager.stats().counters.refused.get("method"), 6);
    app.finish().await;
}

pub async fn accept_header_is_never_a_reason_to_refuse(harness: Harness) {
    let app = harness.start(Manager::builder());
    let bare = RawRequest::new(app.address, "GET", "/events");
    for request in [
        bare.clone(),
        bare.clone().header("accept", "application/json"),
        bare.header("accept", "*/*"),
    ] {
        app.greeted(request).await;
    }
    app.finish().await;
}

pub async fn last_event_id_is_read_from_header_and_query(harness: Harness) {
    let app = harness.start(Manager::builder());
    let byte_by_byte = [
        ("7-12".as_bytes(), "7-12"),
        ("Grüße, 世界".as_bytes(), "Grüße, 世界"),
        // Not UTF-8: replaced, so it matches no id, and rejects no client.
        (b"a\xff", "a\u{fffd}"),
    ];
    for (sent, read) in byte_by_byte {
        app.greeted(app.get("/events").header("Last-Event-ID", sent))
            .await;
        assert_eq!(app.handshake().last_event_id(), Some(read));
    }
    for name in ["lastEventId", "last_event_id", "Last-Event-ID"] {
        app.open(&format!("/events?a=b&{name}=Gr%C3%BC%C3%9Fe%2C+%E4%B8%96"))
            .await;
        assert_eq!(app.handshake().last_event_id(), Some("Grüße, 世"), "{name}");
    }
    app.greeted(
        app.get("/events?lastEventId=query")
            .header("last-event-id", "header"),
    )
    .await;
    assert_eq!(
        app.handshake().last_event_id(),
        Some("header"),
        "the header goes first"
    );
    app.greeted(
        app.get("/events?lastEventId=query")
            .header("last-event-id", ""),
    )
    .await;
    assert_eq!(
        app.handshake().last_event_id(),
        Some("query"),
        "an empty header is ignored"
    );
    app.open("/events").await;
    assert_eq!(app.handshake().last_event_id(), None);
    app.finish().await;
}

pub async fn topics_can_be_encoded_and_repeated(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut client = app
        .open("/events?topics=orders%2F7,news&topics=m%C3%BCsli,news")
        .await;
    let topics = ["orders/7", "news", "müsli"].map(|name| Topic::new(name).expect("a topic"));
    for topic in topics {
        let receipt = app
            .manager
            .topic(topic.clone())
            .publish(Event::text(topic.as_str()))
            .await;
        assert_eq!(
            receipt.expect("an event to a topic").matched,
            1,
            "{topic:?}"
        );
        assert_eq!(next_data(&mut client).await, topic.as_str());
    }
    app.finish().await;
}

pub async fn a_bad_topic_is_a_bad_request_that_is_counted(harness: Harness) {
    let app = harness.start(Manager::builder());
    let long = format!("/events?topics={}", "x".repeat(257));
    for (path, culprit) in [
        ("/events?topics=a,b%0A", "query parameter topics "),
        ("/events?topic=%00", "query parameter topic "),
        ("/events?topics%5B%5D=a", "query parameter \"topics[]\" "),
        (&long, "requested topic "),
    ] {
        let answer = app.ask("GET", path, &[], "").await;
        assert_eq!(answer.status, 400, "{path}");
        let text = answer.text().expect("text");
        assert!(
            text.starts_with(culprit),
            "the error names the parameter: {text:?}"
        );
    }
    assert_eq!(app.manager.stats().counters.refused.get("invalid"), 4);
    app.finish().await;
}

pub async fn a_topic_that_is_not_for_the_caller_is_forbidden(harness: Harness) {
    let app = harness.start_guarded(Manager::builder(), OwnEventsOnly);
    let answer = app
        .ask("GET", "/events?user=42&topics=secrets", &[], "")
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(app.manager.stats().counters.refused.get("forbidden"), 1);
    app.open("/events?user=42").await;
    app.finish().await;
}

pub async fn a_request_head_of_12_kib_is_read(harness: Harness) {
    let app = harness.start(Manager::builder());
    app.greeted(app.get("/events").padded_to(12 << 10)).await;
    app.finish().await;
}

pub async fn a_client_of_http_1_0_gets_no_chunks_and_an_end(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut client = app
        .greeted(app.get("/events").version(HttpVersion::Http10))
        .await;
    let head = client.head().await.expect("a head");
    assert_eq!(head.headers.get("transfer-encoding"), None);
    assert_eq!(head.headers.get("content-length"), None);
    app.publish("old\nfashioned").await;
    assert_eq!(next_data(&mut client).await, "old\nfashioned");
    app.manager
        .disconnect(sse_core::Target::All, sse_core::DisconnectOptions::new())
        .await;
    assert_eq!(next(&mut client).await.event_type, "system");
    expect_end(&mut client).await;
    app.finish().await;
}
