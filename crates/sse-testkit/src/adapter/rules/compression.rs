//! Streams through a compression middleware.

use sse_core::Manager;

use crate::adapter::{
    harness::Harness,
    running_app::{expect_end, expect_system, next_data},
    test_app::TestApp,
};

const ANY: [(&str, &str); 1] = [("accept-encoding", "gzip, deflate, br, zstd")];

pub async fn middleware_compresses_other_responses(harness: Harness) {
    let app = harness.start(Manager::builder());
    let answer = app.ask("GET", "/compressed/prose", &ANY, "").await;
    assert!(
        answer.headers.get("content-encoding").is_some(),
        "{:?}",
        answer.headers
    );
    assert!(answer.body.len() < TestApp::PROSE.len());
    app.finish().await;
}

pub async fn stream_passes_uncompressed_and_unbuffered(harness: Harness) {
    for encoding in ["gzip", "br", "zstd", "deflate", "gzip, deflate, br, zstd"] {
        let app = harness.start(Manager::builder());
        let mut client = app
            .greeted(
                app.get("/compressed/events")
                    .header("accept-encoding", encoding),
            )
            .await;
        let head = client.head().await.expect("a head");
        // To name `identity` is discouraged (RFC 9110, section 8.4), but for some frameworks it is
        // the only way to bypass the compression.
        let coding = head.headers.get("content-encoding");
        assert!(
            matches!(coding, None | Some("identity")),
            "{encoding}: {coding:?}"
        );
        for (name, value) in sse_core::dialect::STREAM_HEADERS {
            assert_eq!(head.headers.get(name), Some(value));
        }
        for text in ["a", "b", "c"] {
            // The next event is sent only after this one has arrived, so nothing waits for more.
            app.publish(text).await;
            assert_eq!(next_data(&mut client).await, text);
        }
        app.manager
            .disconnect(sse_core::Target::All, sse_core::DisconnectOptions::new())
            .await;
        expect_system(&mut client, "disconnected").await;
        expect_end(&mut client).await;
        app.finish().await;
    }
}

pub async fn refusal_is_the_same_with_compression(harness: Harness) {
    let app = harness.start(Manager::builder().max_connections(1));
    let _only = app.open("/events").await;
    let answer = app.ask("GET", "/compressed/events", &ANY, "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.get("retry-after").is_some());
    let head = app.ask("HEAD", "/compressed/events", &ANY, "").await;
    assert_eq!(
        (head.status, head.headers.get("content-type")),
        (200, Some("text/event-stream"))
    );
    app.finish().await;
}
