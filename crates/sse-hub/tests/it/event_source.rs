//! Reconnects of a browser's `EventSource`: any status but 200 is final for an `EventSource`
//! (WHATWG HTML, section 9.2.3).
#![cfg(unix)]

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use sse_testkit::{Decoder, RawRequest, Response, Signal, request};
use tokio::net::TcpStream;

use crate::{
    access::{Header, bearer, params, with_jwt},
    brokers::{Broker, Kind, free_port},
    hub::{Hub, TIMEOUT, bare_command, next},
    shutdown::{expect_shutdown, unfinished_call},
    tokens::{signed, token, unix},
};

/// Values of `Accept` from clients that understand statuses: curl, fetch, the client of
/// `sse-browser`.
const OTHERS: [&str; 3] = [
    "*/*",
    "text/event-stream, */*;q=0.1",
    "application/json, text/event-stream",
];

async fn ask(hub: &Hub, path: &str, accept: &str, headers: &[Header<'_>]) -> Response {
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let headers: Vec<_> = std::iter::once(("accept", accept)).chain(headers).collect();
    request(hub.address(), "GET", path, &headers, "")
        .await
        .unwrap()
}

/// Asserts that an `EventSource` reconnects after a response, and not immediately.
fn assert_returns(answer: &Response, shown: &str) {
    assert_eq!(
        (answer.status, answer.headers.get("content-type")),
        (200, Some("text/event-stream")),
        "{shown}"
    );
    let mut decoder = Decoder::new();
    decoder.feed(&answer.body);
    assert!(
        (1000..=15_000).contains(&decoder.retry().unwrap()),
        "{shown}: {:?}",
        answer.text()
    );
}

/// Asserts that a temporary condition of the hub is final for no client, on any route.
async fn assert_nobody_is_lost(
    hub: &Hub,
    query: &str,
    headers: &[Header<'_>],
    status: u16,
    cause: &str,
) {
    let stream = format!("/api/sse?{query}");
    let soft = ask(hub, &stream, "text/event-stream", headers).await;
    assert_returns(&soft, cause);
    assert!(
        soft.text().unwrap().contains(&format!(": {cause}\n")),
        "{:?}",
        soft.text()
    );
    for accept in OTHERS {
        let answer = ask(hub, &stream, accept, headers).await;
        assert_eq!(answer.status, status, "{cause} {accept}");
        let after: u64 = answer.headers.get("retry-after").unwrap().parse().unwrap();
        assert!((1..=15).contains(&after), "{cause}: {after}");
    }
    let subscription = format!("/api/trpc/sse.events?{query}");
    for accept in ["text/event-stream", "*/*"] {
        let answer = ask(hub, &subscription, accept, headers).await;
        assert_returns(&answer, cause);
        let text = answer.text().unwrap();
        // The code after which tRPC's client reconnects.
        assert!(
            text.contains("event: serialized-error\n") && text.contains(r#""code":-32603"#),
            "{text}"
        );
        assert!(
            text.contains(&format!(r#""httpStatus":{status}"#)),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_full_hub_loses_nobody() {
    for (limit, status, cause) in [
        ("--max-connections", 503, "too many connections"),
        (
            "--max-connections-per-user",
            429,
            "the user has too many connections",
        ),
        (
            "--max-connections-per-address",
            429,
            "the address has too many connections",
        ),
    ] {
        let hub = Hub::start(&[limit, "1"]).await;
        let _only = hub.stream("user=ada").await;
        assert_nobody_is_lost(&hub, "user=ada", &[], status, cause).await;
    }
}

#[tokio::test]
async fn a_rate_limit_loses_nobody() {
    for limit in ["--rate-streams-per-user", "--rate-streams-per-address"] {
        let hub = Hub::spawn(with_jwt(&[limit, "1/24h"])).await;
        let ada = [bearer(&token("ada", 600, &json!({})))];
        let _only = hub.connect("", &ada).await.unwrap();
        assert_nobody_is_lost(&hub, "", &ada, 429, "too many requests").await;
    }
}

#[tokio::test]
async fn keys_that_cannot_be_loaded_lose_nobody() {
    let mut command = bare_command();
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--auth",
        "jwt",
        "--auth-audience",
        "us",
    ]);
    let hub = Hub::spawn({
        command.args(["--auth-jwks", "http://127.0.0.1:1/jwks"]);
        command
    })
    .await;
    let claims = json!({ "sub": "ada", "aud": "us", "exp": unix() + 600 });
    let token = signed(r#"{"alg":"ES256","kid":"a"}"#, &claims, "whatever");
    let cause = "credentials cannot be checked now";
    assert_nobody_is_lost(&hub, "", &[bearer(&token)], 503, cause).await;
    // An `EventSource` sends its token in the query, since it cannot set headers.
    let path = format!(
        "/api/trpc/sse.events?{}",
        params(&json!({ "token": token }))
    );
    assert_returns(&ask(&hub, &path, "text/event-stream", &[]).await, &path);
}

#[tokio::test]
async fn broker_down_at_start_loses_no_event_source() {
    for url in ["redis://127.0.0.1:1", "nats://127.0.0.1:1"] {
        let hub = Hub::start(&["--backplane", url]).await;
        assert_nobody_is_lost(&hub, "", &[], 503, "the event log has not been read yet").await;
        assert_eq!(hub.request("GET", "/health/ready").await.status, 503);
    }
}

#[tokio::test]
async fn a_draining_hub_loses_nobody() {
    let hub = Hub::start(&["--drain", "86400"]).await;
    let _call = unfinished_call(&hub).await;
    let mut stream = hub.stream("").await;
    hub.0.signal(Signal::Terminate).unwrap();
    expect_shutdown(&mut stream).await;
    assert_nobody_is_lost(&hub, "", &[], 503, "the server is shutting down").await;
}

/// Opens a stream as soon as the port accepts connections, and then opens more for a while.
async fn assert_streams_from_the_first_moment(address: SocketAddr, shown: &str) {
    let connected = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, connected).await.unwrap();
    for path in ["/api/sse", "/api/trpc/sse.events"].repeat(10) {
        let mut stream = RawRequest::get(address, path).open().await.unwrap();
        assert_eq!(stream.head().await.unwrap().status, 200, "{shown} {path}");
        if path == "/api/sse" {
            assert_eq!(next(&mut stream).await.0, "connection", "{shown}");
        } else {
            let first = stream.next_event_within(TIMEOUT).await.unwrap();
            let second = stream.next_event_within(TIMEOUT).await.unwrap();
            assert_eq!(
                (&*first.event_type, &*second.event_type),
                ("connected", "message"),
                "{shown}"
            );
        }
    }
}

#[tokio::test]
async fn streams_are_accepted_once_the_port_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let brokers = [
        Broker::started(Kind::Redis).await,
        Broker::started(Kind::Nats).await,
    ];
    let logs = [
        None,
        Some("memory".to_owned()),
        Some(format!("file:{}", folder.path().display())),
    ];
    let urls = brokers.iter().flatten().map(|broker| Some(broker.url()));
    for log in logs.into_iter().chain(urls) {
        // First with an empty log, then with entries of the previous hub.
        for _ in 0..2 {
            let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
            let mut command = bare_command();
            command.args(["--listen", &address.to_string(), "--drain-delay", "0"]);
            command.args(log.iter().flat_map(|url| ["--backplane", url.as_str()]));
            let shown = format!("{log:?}");
            let (mut hub, ()) = tokio::join!(
                Hub::spawn(command),
                assert_streams_from_the_first_moment(address, &shown)
            );
            hub.fence().await;
            hub.0.signal(Signal::Terminate).unwrap();
            assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(0));
        }
    }
}
