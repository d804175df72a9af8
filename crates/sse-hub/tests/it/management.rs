//! The management API, over HTTP.

use serde_json::{Value, json};
use sse_testkit::request;

use crate::hub::{Hub, expect_fence, next};

#[tokio::test]
async fn user_event_reaches_all_streams_of_the_user_only() {
    let hub = Hub::start(&[]).await;
    let mut hers = [
        hub.stream("user=alice").await,
        hub.stream("user=alice&topics=bob").await,
    ];
    let mut others = [
        hub.stream("user=bob").await,
        hub.stream("topics=alice").await,
    ];
    let input = json!({ "message": "Your export is ready", "title": "Reports", "data": { "pages": 3 }, "timestamp": 7 });
    assert_eq!(hub.send("sendSuccess?user=alice", input).await, 2);
    hub.fence().await;

    for stream in &mut hers {
        let event = stream.next_event().await.unwrap();
        assert_eq!(event.event_type, "notification");
        assert_eq!(
            event.data,
            r#"{"type":"success","title":"Reports","message":"Your export is ready","data":{"pages":3},"timestamp":7}"#
        );
        expect_fence(stream).await;
    }
    for stream in &mut others {
        expect_fence(stream).await;
    }
}

#[tokio::test]
async fn every_kind_reaches_the_caller() {
    let hub = Hub::start(&[]).await;
    let mut stream = hub.stream("user=J%C3%B6rg").await;
    for (procedure, kind) in [
        ("sendSuccess", "success"),
        ("sendInfo", "info"),
        ("sendWarning", "warning"),
        ("sendError", "error"),
    ] {
        let path = format!("{procedure}?user=J%C3%B6rg");
        assert_eq!(hub.send(&path, json!({ "message": procedure })).await, 1);
        let (event_type, data) = next(&mut stream).await;
        assert_eq!(
            (event_type.as_str(), &data["type"]),
            ("notification", &json!(kind))
        );
        assert_eq!(data["message"], procedure);
    }
}

#[tokio::test]
async fn a_broadcast_reaches_everybody() {
    let hub = Hub::start(&[]).await;
    let mut streams = [
        hub.stream("user=alice").await,
        hub.stream("user=bob&topics=news").await,
        hub.stream("").await,
    ];
    let input = json!({ "type": "warning", "message": "Maintenance in five minutes" });
    assert_eq!(hub.send("broadcastNotification", input).await, 3);
    for stream in &mut streams {
        let (event_type, data) = next(stream).await;
        assert_eq!(event_type, "notification");
        assert_eq!(
            (&data["type"], &data["message"]),
            (&json!("warning"), &json!("Maintenance in five minutes"))
        );
    }
}

#[tokio::test]
async fn topic_event_reaches_its_subscribers() {
    let hub = Hub::start(&[]).await;
    let mut readers = [
        hub.stream("user=alice&topics=news,orders%2F7").await,
        hub.stream("topics=orders/7").await,
    ];
    let mut other = hub.stream("topics=orders").await;

    let order = json!({ "target": { "topic": "orders/7" }, "event": "order_shipped", "data": { "order": 7 } });
    assert_eq!(hub.send("publish", order).await, 2);
    hub.fence().await;
    for stream in &mut readers {
        assert_eq!(
            next(stream).await,
            ("order_shipped".to_owned(), json!({ "order": 7 }))
        );
        expect_fence(stream).await;
    }
    expect_fence(&mut other).await;
}

#[tokio::test]
async fn connections_are_listed() {
    let hub = Hub::start(&[]).await;
    let _streams = [
        hub.stream("user=alice").await,
        hub.stream("user=alice").await,
        hub.stream("").await,
    ];
    let stats = hub.stats().await;
    assert_eq!(
        (&stats["totalConnections"], &stats["uniqueUsers"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(stats["connectionsByUser"], json!({ "alice": 2 }));
    let page = hub
        .request(
            "GET",
            "/api/trpc/sse.getConnections?input=%7B%22userId%22%3A%22alice%22%7D",
        )
        .await;
    let page: Value = serde_json::from_slice(&page.body).unwrap();
    assert_eq!(
        page["result"]["data"]["items"].as_array().unwrap().len(),
        2,
        "{page}"
    );
}

#[tokio::test]
async fn a_stream_can_be_ended() {
    let hub = Hub::start(&[]).await;
    let mut stream = hub.stream("user=alice").await;
    assert_eq!(
        hub.send(
            "disconnect",
            json!({ "target": { "user": "alice" }, "reason": "bye" })
        )
        .await,
        1
    );
    let (event_type, data) = next(&mut stream).await;
    assert_eq!(
        (event_type.as_str(), &data["event"]),
        ("system", &json!("disconnected"))
    );
    stream.expect_end().await.unwrap();
}

#[tokio::test]
async fn invalid_calls_are_rejected_with_a_reason() {
    let hub = Hub::start(&[]).await;
    let mut stream = hub.stream("user=alice").await;
    let me = "sendSuccess?user=alice";
    for (procedure, body, status, said) in [
        ("nothing", r#"{}"#, 404, "sse.nothing"),
        (me, "{\"message\":", 400, ""),
        (me, "[]", 400, ""),
        (me, "{}", 400, "message"),
        (me, r#"{"message":7}"#, 400, "message"),
        (me, r#"{"message":"a","massage":"b"}"#, 400, "massage"),
        ("sendSuccess", r#"{"message":"to whom?"}"#, 400, "userId"),
        (
            "publish",
            r#"{"target":"all","event":"heartbeat","data":1}"#,
            400,
            "heartbeat",
        ),
        (
            "publish",
            r#"{"target":"all","event":"connection","data":1}"#,
            400,
            "connection",
        ),
        (
            "publish",
            r#"{"target":"all","event":"a\nb","data":1}"#,
            400,
            "event",
        ),
        (
            "publish",
            r#"{"target":"some","event":"a","data":1}"#,
            400,
            "target",
        ),
        (
            "broadcastSystemEvent",
            r#"{"event":"shutdown"}"#,
            400,
            "shutdown",
        ),
        (
            "publish",
            r#"{"target":"all","event":"system","data":{"event":"gap"}}"#,
            400,
            "gap",
        ),
    ] {
        let (answered, answer) = hub.post(procedure, body).await;
        let error = &answer["error"];
        assert_eq!(answered, status, "{procedure} {body}: {answer}");
        assert!(
            error["message"].as_str().unwrap().contains(said),
            "{procedure} {body}: {answer}"
        );
        assert_eq!(error["data"]["httpStatus"], status);
        assert!(error["code"].as_i64().unwrap() < 0);
    }
    hub.fence().await;
    expect_fence(&mut stream).await;
}

#[tokio::test]
async fn body_is_limited_to_one_mebibyte() {
    let hub = Hub::start(&[]).await;
    let (before, after) = (r#"{"target":"all","event":"big","data":""#, r#""}"#);
    let body = |bytes: usize| {
        format!(
            "{before}{}{after}",
            "x".repeat(bytes - before.len() - after.len())
        )
    };
    let (status, answer) = hub.post("publish", &body(1 << 20)).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = hub.post("publish", &body((1 << 20) + 1)).await;
    assert_eq!(
        (status, &answer["error"]["data"]["code"]),
        (413, &json!("PAYLOAD_TOO_LARGE"))
    );
}

#[tokio::test]
async fn limits_of_calls_are_configurable() {
    let hub = Hub::start(&["--management-body", "100", "--management-title=3"]).await;
    let (status, _) = hub
        .post(
            "broadcastNotification",
            &json!({ "message": "x".repeat(100) }).to_string(),
        )
        .await;
    assert_eq!(status, 413);
    let (status, answer) = hub
        .post("broadcastNotification", r#"{"message":"a","title":"abcd"}"#)
        .await;
    assert_eq!(status, 400, "{answer}");
    hub.send(
        "broadcastNotification",
        json!({ "message": "a", "title": "abc" }),
    )
    .await;
}

#[tokio::test]
async fn methods_and_types_are_checked() {
    let hub = Hub::start(&[]).await;
    let response = hub
        .request("GET", "/api/trpc/sse.sendSuccess?user=alice")
        .await;
    assert_eq!(
        (response.status, response.headers.get("allow")),
        (405, Some("POST"))
    );
    let (status, _) = hub.post("getStats", "{}").await;
    assert_eq!(status, 405);
    let headers = [("content-type", "text/plain")];
    let path = "/api/trpc/sse.sendSuccess?user=alice";
    let response = request(hub.address(), "POST", path, &headers, r#"{"message":"a"}"#)
        .await
        .unwrap();
    assert_eq!(response.status, 415);
}

#[tokio::test]
async fn invalid_user_name_is_rejected() {
    let hub = Hub::start(&["--limits-user", "8"]).await;
    for user in ["a%0Ab", "much-too-long"] {
        let response = hub
            .request("GET", &format!("/api/trpc/sse.getStats?user={user}"))
            .await;
        assert_eq!(
            (response.status, response.headers.get("content-type")),
            (400, Some("application/json"))
        );
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        assert!(
            answer["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with("query parameter user "),
            "{answer}"
        );
        assert_eq!(
            answer["error"]["data"],
            json!({ "code": "BAD_REQUEST", "httpStatus": 400 })
        );
        assert_eq!(answer["error"]["code"], -32600);
    }
}
