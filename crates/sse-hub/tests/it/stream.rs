//! Streams.

use serde_json::{Value, json};
use sse_testkit::RawClient;

use crate::hub::{Hub, TIMEOUT, next, next_of_all};

/// Returns the text of the first block.
async fn first_block(stream: &mut RawClient) -> String {
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(std::str::from_utf8(&stream.next_bytes().await.unwrap().unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn stream_begins_with_head_and_greeting() {
    let hub = Hub::start(&[]).await;
    for (query, user) in [
        ("user=alice&topics=news", "\"alice\""),
        ("", "null"),
        ("user=", "null"),
    ] {
        let mut stream = hub.open(query).await;
        let head = stream.head().await.unwrap().clone();
        assert_eq!(head.status, 200);
        assert_eq!(head.headers.get("content-type"), Some("text/event-stream"));
        assert!(
            head.headers
                .get("cache-control")
                .unwrap()
                .contains("no-cache")
        );
        assert_eq!(head.headers.get("x-accel-buffering"), Some("no"));

        // The order of fields within a block means nothing (WHATWG HTML, section 9.2.6).
        let block = first_block(&mut stream).await;
        let mut lines: Vec<_> = block.strip_suffix("\n\n").unwrap().lines().collect();
        lines.sort_unstable();
        let [json, "event: connection", retry] = lines[..] else {
            panic!("{block}")
        };
        let retry = retry.strip_prefix("retry: ").unwrap();
        assert!(
            (2250..=3750).contains(&retry.parse::<u32>().unwrap()),
            "{retry}"
        );
        let json = json.strip_prefix("data: ").unwrap();
        let data: Value = serde_json::from_str(json).unwrap();
        let (id, time) = (
            data["clientId"].as_str().unwrap(),
            data["timestamp"].as_u64().unwrap(),
        );
        assert!(id.len() >= 22, "{id} can be guessed");
        assert!(time > 1_700_000_000_000);
        let expected = format!(
            r#"{{"status":"connected","clientId":"{id}","userId":{user},"resumed":false,"heartbeatMs":30000,"timestamp":{time}}}"#
        );
        assert_eq!(json, expected);
    }
}

#[tokio::test]
async fn quiet_stream_receives_heartbeats() {
    let hub = Hub::start(&["--heartbeat-interval", "100ms"]).await;
    let (mut stream, hello) = hub.greeted("user=alice").await;
    assert_eq!(hello["heartbeatMs"], 100);
    for _ in 0..3 {
        let (event_type, data) = next_of_all(&mut stream).await;
        assert_eq!(event_type, "heartbeat");
        assert!(
            data["timestamp"].as_u64() >= hello["timestamp"].as_u64(),
            "{data} {hello}"
        );
    }
}

#[tokio::test]
async fn head_returns_only_the_headers_of_a_stream() {
    let hub = Hub::start(&[]).await;
    let head = hub.request("HEAD", "/api/sse?user=alice").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let stream = hub.open("").await.head().await.unwrap().clone();
    for name in ["content-type", "cache-control", "x-accel-buffering"] {
        assert_eq!(head.headers.get(name), stream.headers.get(name), "{name}");
    }
    assert_eq!(hub.stats().await["connected"], 1, "only the stream");
}

#[tokio::test]
async fn other_methods_receive_an_allow_header() {
    let hub = Hub::start(&[]).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let response = hub.request(method, "/api/sse").await;
        assert_eq!(
            (response.status, response.headers.get("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
}

#[tokio::test]
async fn invalid_requests_receive_a_reason() {
    let hub = Hub::start(&[]).await;
    let long = "x".repeat(257);
    let many: Vec<_> = (0..65).map(|number| number.to_string()).collect();
    for (query, said) in [
        ("topics=a%00b".to_owned(), "query parameter topics contains"),
        ("topic=".to_owned(), "query parameter topic is empty"),
        (
            "topics[]=a".to_owned(),
            "query parameter \"topics[]\" is unknown",
        ),
        (
            format!("topics={long}"),
            "requested topic is 257 bytes long",
        ),
        (format!("topics={}", many.join(",")), "65 topics"),
        ("user=a%0Ab".to_owned(), "user"),
        (format!("user={long}"), "user"),
    ] {
        let response = hub.request("GET", &format!("/api/sse?{query}")).await;
        assert_eq!(response.status, 400, "{query}");
        assert!(
            response.text().unwrap().contains(said),
            "{}",
            response.text().unwrap()
        );
    }
    assert_eq!(hub.stats().await["totalConnections"], 0);
}

#[tokio::test]
async fn streams_beyond_limits_are_rejected_temporarily() {
    let hub = Hub::start(&["--max-connections", "2", "--max-connections-per-user", "1"]).await;
    let _alice = hub.stream("user=alice").await;
    let refused = hub.request("GET", "/api/sse?user=alice").await;
    assert_eq!(refused.status, 429);
    assert!(
        refused
            .headers
            .get("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    let bob = hub.stream("user=bob").await;
    let refused = hub.request("GET", "/api/sse?user=carol").await;
    assert_eq!(refused.status, 503);
    assert!(
        refused
            .headers
            .get("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );

    drop(bob);
    hub.settles_at(1).await;
    hub.stream("user=carol").await;
}

#[tokio::test]
async fn a_soft_refusal_is_a_stream_that_ends() {
    let hub = Hub::start(&["--max-connections=1", "--refusal=soft"]).await;
    let _first = hub.stream("").await;
    let mut refused = hub.open("").await;
    assert_eq!(refused.head().await.unwrap().status, 200);
    refused.expect_end().await.unwrap();
    assert!(refused.decoder().retry().is_some());
}

#[tokio::test]
async fn newest_stream_replaces_the_oldest_by_policy() {
    let hub = Hub::start(&[
        "--max-connections-per-user=1",
        "--when-user-full=replace_oldest",
    ])
    .await;
    let mut first = hub.stream("user=alice").await;
    let mut second = hub.stream("user=alice").await;
    let (event_type, data) = next(&mut first).await;
    assert_eq!(
        (event_type.as_str(), &data["event"]),
        ("system", &json!("disconnected"))
    );
    tokio::time::timeout(TIMEOUT, first.expect_end())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        hub.send("sendInfo?user=alice", json!({ "message": "still here" }))
            .await,
        1
    );
    assert_eq!(next(&mut second).await.1["message"], "still here");
}
