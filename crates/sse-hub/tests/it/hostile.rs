//! Malicious requests: the hub responds to each of them and keeps running.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sse_testkit::{RawRequest, request};

use crate::hub::{Hub, expect_fence};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Returns the status and the code of a response, which must be a well-formed error or a success.
async fn ask(hub: &Hub, method: &str, path: &str, body: impl AsRef<[u8]>) -> (u16, String) {
    let response = request(hub.address(), method, path, &JSON, body)
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&response.body).unwrap();
    let code = answer["error"]["data"]["code"]
        .as_str()
        .unwrap_or("OK")
        .to_owned();
    assert_eq!(response.status == 200, code == "OK", "{answer}");
    assert!(response.body.len() < 4096, "a long answer to {path}");
    (response.status, code)
}

async fn publish(hub: &Hub, body: impl AsRef<[u8]>) -> (u16, String) {
    ask(hub, "POST", "/api/trpc/sse.publish", body).await
}

fn refused() -> (u16, String) {
    (400, "BAD_REQUEST".into())
}

#[tokio::test]
async fn malformed_json_is_rejected() {
    let hub = Hub::start(&[]).await;
    let mut stream = hub.stream("user=alice").await;
    let event = |data: &str| format!(r#"{{"target":"all","event":"e","data":{data}}}"#);
    let deep = |open: &str, close: &str, levels: usize| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    };
    for body in [
        event(&deep("[", "]", 500_000)),
        event(&deep(r#"{"a":"#, "}", 150_000)),
        event(&"[".repeat(1_000_000)),
        deep("[", "]", 500_000),
        event(r#""\ud800""#),
        event("01"),
        event("NaN"),
        event("1e"),
        event("'a'"),
        event("\"\u{1}\""),
        event("1,}"),
        r#"{"target":"all","target":"all","event":"e","data":1}"#.to_owned(),
        r#"{"target":"all","event":"e","data":1,"data":2}"#.to_owned(),
        r#"{"target":{"user":"a","user":"b"},"event":"e","data":1}"#.to_owned(),
        r#"{"target":{"user":"a","topic":"b"},"event":"e","data":1}"#.to_owned(),
        r#"{"target":"all","event":"e","data":1,"__proto__":{}}"#.to_owned(),
        r#"{"target":"all","event":"e","data":1} {}"#.to_owned(),
        r#"{"target":"all","event":"e\u2028\r","data":1}"#.to_owned(),
        "\u{feff}{}".to_owned(),
        "\0".repeat(1000),
    ] {
        let start: String = body.chars().take(60).collect();
        // JavaScript writes an unpaired surrogate for a text that was cut: it is replaced.
        let expected = if start.contains(r"\ud800") {
            (200, "OK".into())
        } else {
            refused()
        };
        assert_eq!(publish(&hub, &body).await, expected, "{start}");
        if expected.0 == 200 {
            assert_eq!(stream.next_event().await.unwrap().data, r#""\ufffd""#);
        }
    }
    for body in [
        &b"{\"target\":\"all\",\"event\":\"e\",\"data\":\"\xff\"}"[..],
        b"\xff\xfe{\0}\0",
        b"\xc0\x80",
    ] {
        assert_eq!(publish(&hub, body).await, refused());
    }
    hub.fence().await;
    expect_fence(&mut stream).await;
}

#[tokio::test]
async fn numbers_of_any_size_are_preserved() {
    let hub = Hub::start(&[]).await;
    let mut stream = hub.stream("user=alice").await;
    for number in [
        "1e999999999",
        "-0",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
    ] {
        let body = format!(r#"{{"target":"all","event":"e","data":[{number}]}}"#);
        assert_eq!(publish(&hub, body).await.0, 200, "{number}");
        assert_eq!(
            stream.next_event().await.unwrap().data,
            format!("[{number}]")
        );
    }
    for timestamp in [
        "1e999999999",
        "-1",
        "8640000000000001",
        "1.5",
        "18446744073709551616",
    ] {
        let body = format!(r#"{{"message":"a","timestamp":{timestamp}}}"#);
        let answer = ask(&hub, "POST", "/api/trpc/sse.broadcastNotification", body).await;
        assert_eq!(answer, refused(), "{timestamp}");
    }
    for input in [
        r#"{"limit":1e9}"#,
        r#"{"limit":18446744073709551615}"#,
        r#"{"cursor":4294967296}"#,
    ] {
        let input: String = form_urlencoded::byte_serialize(input.as_bytes()).collect();
        assert_eq!(
            ask(
                &hub,
                "GET",
                &format!("/api/trpc/sse.getConnections?input={input}"),
                ""
            )
            .await,
            refused()
        );
    }
    let last = ask(
        &hub,
        "GET",
        "/api/trpc/sse.getConnections?input=%7B%22cursor%22%3A4294967295%7D",
        "",
    )
    .await;
    assert_eq!(last.0, 200);
}

#[tokio::test]
async fn batches_of_any_size_receive_a_response() {
    let hub = Hub::start(&[]).await;
    let paths = |count| vec!["sse.publish"; count].join(",");
    assert_eq!(
        ask(
            &hub,
            "POST",
            &format!("/api/trpc/{}?batch=1", paths(5_000)),
            "{}"
        )
        .await,
        refused()
    );
    assert_eq!(
        ask(
            &hub,
            "POST",
            &format!("/api/trpc/{}?batch=1", ",".repeat(10_000)),
            "{}"
        )
        .await,
        refused()
    );
    // Few calls, many inputs.
    let mut inputs = String::from("{");
    for index in 0..50_000 {
        write!(inputs, r#""{index}":{{"a":1}},"#).unwrap();
    }
    inputs.push_str(r#""0":null}"#);
    let path = "/api/trpc/sse.publish,sse.publish?batch=1";
    let response = request(hub.address(), "POST", path, &JSON, &inputs)
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        (response.status, answer.as_array().map(Vec::len)),
        (400, Some(2)),
        "{answer}"
    );
    // A hundred long responses.
    let path = format!("/api/trpc/{}?batch=1", vec!["sse.getStats"; 100].join(","));
    let response = hub.request("GET", &path).await;
    assert_eq!(response.status, 200);
    assert_eq!(hub.request("GET", "/health/live").await.status, 200);
}

#[tokio::test]
async fn superjson_annotations_of_any_kind_are_read() {
    let hub = Hub::start(&["--trpc-transformer", "superjson"]).await;
    let mut stream = hub.stream("user=alice").await;
    let many: serde_json::Map<_, _> = (0..15_000)
        .map(|index| (format!("a.{index}.b.c.d.e.f.g"), json!(["undefined"])))
        .collect();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for (body, status) in [
        (
            json!({ "json": { "event": "e", "data": { "a": 1 } }, "meta": { "values": many } })
                .to_string(),
            200,
        ),
        (
            format!(r#"{{"json":{{"event":"e"}},"meta":{{"values":{{"undefined":{deep}}}}}}}"#),
            400,
        ),
        (
            format!(
                r#"{{"json":{{"event":"e","data":{deep}}},"meta":{{"values":{{"data.0.0":["undefined"]}}}}}}"#
            ),
            400,
        ),
        (
            r#"{"json":{"event":"e"},"meta":{"values":{"event":["undefined"]}}}"#.to_owned(),
            400,
        ),
        (
            r#"{"json":{"event":"e"},"json":{"event":"f"}}"#.to_owned(),
            400,
        ),
        (r#"{"meta":{"values":["undefined"]}}"#.to_owned(), 400),
        ("[]".to_owned(), 400),
    ] {
        let start: String = body.chars().take(60).collect();
        let response = request(
            hub.address(),
            "POST",
            "/api/trpc/sse.broadcastSystemEvent",
            &JSON,
            &body,
        )
        .await
        .unwrap();
        assert_eq!(response.status, status, "{start}");
    }
    assert_eq!(stream.next_event().await.unwrap().event_type, "system");
}

#[tokio::test]
async fn aborted_requests_leave_no_state() {
    use tokio::{io::AsyncWriteExt as _, net::TcpStream};
    let hub = Hub::start(&[]).await;
    let mut stream = hub.stream("user=alice").await;
    let body = r#"{"target":"all","event":"e","data":1}"#;
    for (length, sent) in [
        (body.len() + 1, body),
        (1 << 40, body),
        (body.len(), &body[..9]),
        (9, ""),
    ] {
        let mut socket = TcpStream::connect(hub.address()).await.unwrap();
        let head = format!(
            "POST /api/trpc/sse.publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{sent}"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
    }
    hub.fence().await;
    expect_fence(&mut stream).await;
}

#[tokio::test]
async fn heads_of_any_size_receive_a_response() {
    let hub = Hub::start(&[]).await;
    for (kib, statuses) in [(12, &[200][..]), (600, &[431])] {
        let padded = RawRequest::get(hub.address(), "/health/live").padded_to(kib << 10);
        let status = padded.open().await.unwrap().head().await.unwrap().status;
        assert!(statuses.contains(&status), "{kib} KiB: {status}");
    }
    let path = format!("/health/live?{}", "x".repeat(70 << 10));
    let status = RawRequest::get(hub.address(), path)
        .open()
        .await
        .unwrap()
        .head()
        .await
        .unwrap()
        .status;
    assert!(matches!(status, 414 | 431), "{status}");
    let many = (0..200).fold(
        RawRequest::get(hub.address(), "/health/live"),
        |request, index| request.header(format!("x-{index}"), "1"),
    );
    assert_eq!(many.open().await.unwrap().head().await.unwrap().status, 431);
}
