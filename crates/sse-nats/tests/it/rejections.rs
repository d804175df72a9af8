//! Servers that reply, and do not execute the requests.

use bytes::Bytes;
use serde_json::json;
use sse_core::{
    Retention,
    backplane::{Backplane, BackplaneError, Lease, NewEntry},
};
use sse_nats::NatsBackplane;
use tokio::time::{Instant, timeout};

use crate::{
    faults::{TIMEOUT, append, beginning, entry, eventually, read},
    server::{LOG, Server, config},
};

fn is_blocked(error: &BackplaneError) -> bool {
    matches!(error, BackplaneError::Blocked { .. })
}

fn is_refused(error: &BackplaneError) -> bool {
    matches!(error, BackplaneError::Rejected { .. })
}

fn user(rights: &str) -> String {
    format!(
        "authorization {{ users: [ {{ user: u, password: p, permissions: {{ {rights} }} }} ] }}"
    )
}

fn url(server: &Server) -> String {
    server.url().replace("nats://", "nats://u:p@")
}

#[tokio::test]
async fn full_account_accepts_appends_later() {
    let account =
        r#"accounts { A { jetstream: { max_file: 4MB }, users: [ { user: u, password: p } ] } }"#;
    let Some(server) = Server::start_with(0, |_| account.to_owned()).await else {
        return;
    };
    let node = config().retention(Retention::default().bytes(1 << 20));
    let node = NatsBackplane::connect(&url(&server), node).await.unwrap();
    let start = beginning(&node).await;
    append(&node, "before").await;
    // Another stream takes the remaining room.
    let user = async_nats::ConnectOptions::with_user_and_password("u".to_owned(), "p".to_owned());
    let client = user.connect(server.url()).await.unwrap();
    let ask = async |what: &str, request: serde_json::Value| {
        let answer = client
            .request(format!("$JS.API.{what}"), request.to_string().into())
            .await
            .unwrap();
        String::from_utf8(answer.payload.to_vec()).unwrap()
    };
    ask(
        "STREAM.CREATE.other",
        json!({ "name": "other", "subjects": ["other"], "storage": "file" }),
    )
    .await;
    let full = eventually("the limit", async || {
        let answer = client
            .request("other", vec![0; 200_000].into())
            .await
            .unwrap();
        let text = String::from_utf8(answer.payload.to_vec()).unwrap();
        text.contains("\"error\"").then_some(text)
    });
    let full = full.await;
    let error = eventually("a rejection", async || {
        node.append(entry("x".repeat(100_000))).await.err()
    })
    .await;
    assert!(is_blocked(&error), "{error:?}, the server replied {full}");
    assert!(error.to_string().contains("; "), "no remedy: {error}");
    assert_eq!(read(&node, &start).await[0], "before");
    ask("STREAM.DELETE.other", json!({})).await;
    eventually("room", async || node.append(entry("after")).await.ok()).await;
    assert_eq!(read(&node, &start).await.last().unwrap(), "after");
}

/// A stream that has no room at the start can get room later.
#[tokio::test]
async fn start_waits_for_room() {
    let account =
        r#"accounts { A { jetstream: { max_file: 1MB }, users: [ { user: u, password: p } ] } }"#;
    let Some(server) = Server::start_with(0, |_| account.to_owned()).await else {
        return;
    };
    let error = NatsBackplane::connect(&url(&server), config())
        .await
        .unwrap_err();
    assert!(!is_refused(&error), "{error:?}");
}

#[tokio::test]
async fn entry_beyond_stream_limit_is_too_large() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    append(&node, "before").await;
    let mut info = server.ask(&format!("STREAM.INFO.{LOG}"), json!({})).await["config"].take();
    info["max_msg_size"] = json!(1000);
    server.ask(&format!("STREAM.UPDATE.{LOG}"), info).await;
    match node.append(entry("x".repeat(2000))).await {
        Err(BackplaneError::TooLarge { size: 2000, limit }) => assert!(limit < 1000, "{limit}"),
        other => panic!("{other:?}"),
    }
    append(&node, "after").await;
}

/// An operator revokes a right while a node runs, and grants it again.
#[tokio::test]
async fn revoked_right_can_return() {
    const ALL: &str = "publish: \">\", subscribe: \">\"";
    let denied = |what: &str, subject: &str| user(&format!("{what}: {{ deny: [\"{subject}\"] }}"));
    let Some(mut server) = Server::start_with(0, |_| user(ALL)).await else {
        return;
    };
    let node = NatsBackplane::connect(&url(&server), config())
        .await
        .unwrap();
    append(&node, "before").await;
    let lease = || Lease {
        node: "node".into(),
        payload: Bytes::new(),
    };
    let refusals = async || {
        let mut refused = Vec::new();
        let mut note = |what, error: Option<BackplaneError>| {
            if let Some(error) = error {
                if is_refused(&error) {
                    assert!(
                        error.to_string().contains("rights that the README"),
                        "{error}"
                    );
                }
                refused.push((what, is_refused(&error)));
            }
        };
        note("append", node.append(entry("x")).await.err());
        note("signal", node.signal(Bytes::from_static(b"x")).await.err());
        note(
            "signal again",
            node.signal(Bytes::from_static(b"x")).await.err(),
        );
        note("lease", node.hold_lease(lease(), TIMEOUT).await.err());
        let heard = async {
            let mut signals = node.signals().await?;
            node.signal(Bytes::from_static(b"x")).await?;
            timeout(TIMEOUT, signals.next())
                .await
                .expect("neither a signal nor an error arrived in time")
                .map(drop)
        };
        note("listen", heard.await.err());
        note(
            "tail",
            async {
                node.tail(&beginning(&node).await)
                    .await?
                    .next()
                    .await
                    .map(drop)
            }
            .await
            .err(),
        );
        refused
    };
    for (what, subject, expected) in [
        ("publish", "test.suite.log.>", "append"),
        ("publish", "test.suite.signal", "signal again"),
        ("publish", "test.suite.state.>", "lease"),
        ("subscribe", "test.suite.signal", "listen"),
        ("publish", "$JS.API.CONSUMER.CREATE.>", "tail"),
    ] {
        server.reconfigure(&denied(what, subject));
        let found = eventually(subject, async || {
            let began = Instant::now();
            let refused = refusals().await;
            let is_known = refused.contains(&(expected, true));
            is_known.then(|| (refused, began.elapsed()))
        });
        let (refused, took) = found.await;
        println!("{what} {subject}: {refused:?} in {took:?}");
        server.reconfigure(&user(ALL));
        eventually(subject, async || refusals().await.is_empty().then_some(())).await;
    }
    // No entry was appended without an acknowledgement.
    let keyed = NewEntry {
        key: "k".try_into().ok(),
        ..entry("after")
    };
    assert!(!node.append(keyed).await.unwrap().duplicate);
}
