//! One-off streams, without a manager.

use std::{io, time::Duration};

use sse_core::{Event, Manager, ShutdownOptions};
use tokio::time::timeout;

use crate::{
    adapter::{
        harness::Harness,
        running_app::{TIMEOUT, expect_end, next_data},
    },
    decoder::Item,
};

pub async fn a_one_off_stream_has_events_and_an_end(harness: Harness) {
    let mut app = harness.start(Manager::builder());
    let request = tokio::spawn(app.get("/tokens").open());
    let answer = app.answer().await;
    let mut client = request.await.expect("a request").expect("an answer");
    let head = client.head().await.expect("a head");
    assert_eq!(head.status, 200);
    for (name, value) in sse_core::dialect::STREAM_HEADERS {
        assert_eq!(head.headers.get(name), Some(value));
    }
    for token in ["Hello", " world\n", ""] {
        answer
            .send(Ok(Event::text(token)))
            .await
            .expect("a connected receiver");
        assert_eq!(next_data(&mut client).await, token);
    }
    drop(answer);
    expect_end(&mut client).await;
    assert_eq!(app.manager.stats().counters.connected, 0);
    app.finish().await;
}

pub async fn quiet_one_off_stream_gets_heartbeats(harness: Harness) {
    let mut app = harness.start(Manager::builder());
    let mut client = app.get("/tokens").send().await.expect("a request");
    let answer = app.answer().await;
    for _ in 0..3 {
        let item = timeout(TIMEOUT, client.next_item())
            .await
            .expect("a heartbeat")
            .expect("a heartbeat");
        assert!(matches!(&item, Item::Comment(_)), "{item:?}");
    }
    answer
        .send(Ok(Event::text("at last")))
        .await
        .expect("a connected receiver");
    assert_eq!(next_data(&mut client).await, "at last");
    drop((answer, client));
    app.finish().await;
}

pub async fn a_one_off_stream_that_fails_has_no_clean_end(harness: Harness) {
    let mut app = harness.start(Manager::builder());
    let mut client = app.get("/tokens").send().await.expect("a request");
    let answer = app.answer().await;
    answer
        .send(Ok(Event::text("half")))
        .await
        .expect("a connected receiver");
    assert_eq!(next_data(&mut client).await, "half");
    answer
        .send(Err(io::Error::other("the model failed")))
        .await
        .expect("a connected receiver");
    let end = timeout(TIMEOUT, client.end())
        .await
        .expect("an end")
        .expect("an end");
    assert!(
        !end.is_clean(),
        "{end:?} would be taken for the complete response"
    );
    app.finish().await;
}

pub async fn a_one_off_stream_is_dropped_when_its_client_goes(harness: Harness) {
    let mut app = harness.start(Manager::builder());
    let mut client = app.get("/tokens").send().await.expect("a request");
    let answer = app.answer().await;
    answer
        .send(Ok(Event::text("one")))
        .await
        .expect("a connected receiver");
    assert_eq!(next_data(&mut client).await, "one");
    drop(client);
    timeout(TIMEOUT, answer.closed())
        .await
        .expect("the stream is dropped");
    app.finish().await;
}

pub async fn a_one_off_stream_does_not_outlive_the_deadline(harness: Harness) {
    let mut app = harness.start_with(
        Manager::builder(),
        ShutdownOptions::within(Duration::from_secs(1)),
    );
    let _client = app.get("/tokens").send().await.expect("a request");
    let answer = app.answer().await;
    app.finish().await;
    timeout(TIMEOUT, answer.closed())
        .await
        .expect("the stream is dropped");
}
