//! Streams whose files the server removes.

use std::{fs, path::PathBuf, time::Duration};

use async_nats::Client;
use serde_json::{Value, json};
use sse_core::backplane::{Backplane, Lease};
use tokio::{join, time::sleep};

use crate::{
    faults::{append, beginning, entry, eventually, read, take},
    server::{LOG, STATE, Server},
};

fn files(server: &Server, stream: &str) -> PathBuf {
    server.store().join("jetstream/$G/streams").join(stream)
}

/// Sends a request to JetStream and returns any reply.
async fn ask(client: &Client, what: &str, request: Value) -> Value {
    let answer = client
        .request(format!("$JS.API.{what}"), request.to_string().into())
        .await;
    serde_json::from_slice(&answer.unwrap().payload).unwrap()
}

/// Creates a stream again while the server deletes it: nats-server 2.9 removes the files of the new
/// stream with those of the old one. For a server without this fault, the test removes the files
/// itself.
async fn lose(server: &Server, stream: &str) {
    let (deleting, making) = (server.client().await, server.client().await);
    let mut config =
        ask(&making, &format!("STREAM.INFO.{stream}"), json!({})).await["config"].take();
    if stream == LOG {
        config["subjects"] = json!(["test.suite.log.anew"]);
    }
    // An existing stream with identical settings would be taken for the created one.
    config["description"] = json!("anew");
    let make = async {
        loop {
            let answer = ask(&making, &format!("STREAM.CREATE.{stream}"), config.clone()).await;
            if answer.get("error").is_none() {
                return;
            }
        }
    };
    let delete = async { ask(&deleting, &format!("STREAM.DELETE.{stream}"), json!({})).await };
    join!(delete, make);
    if files(server, stream).exists() {
        println!("nats-server kept the files of {stream}: they are removed by hand");
        fs::remove_dir_all(files(server, stream)).unwrap();
    }
}

/// Waits until the server has closed the files and notices the loss.
async fn is_broken(server: &Server, subject: &'static str) {
    let client = server.client().await;
    eventually("the loss", async || {
        // The server keeps a file open for as long as it is used.
        sleep(Duration::from_secs(7)).await;
        let answer = client.request(subject, "foreign".into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        (answer["error"]["err_code"] == 10077).then_some(())
    })
    .await;
}

#[tokio::test]
async fn log_is_recreated_after_loss_of_files() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let (one, two) = (server.node().await, server.node().await);
    let before = beginning(&one).await;
    // The stream has enough files for their deletion to take a while.
    for _ in 0..40 {
        append(&one, "x".repeat(1 << 20)).await;
    }
    lose(&server, LOG).await;
    is_broken(&server, "test.suite.log.anew").await;
    // Both nodes detect the loss, and create one common log.
    let heal = async |node, text: &'static str| {
        eventually("an append", async || {
            sse_nats::NatsBackplane::append(node, entry(text))
                .await
                .ok()
        })
        .await
    };
    let (first, second) = join!(heal(&one, "one"), heal(&two, "two"));
    let now = eventually("one log", async || {
        let (here, there) = (one.bounds().await.ok()?, two.bounds().await.ok()?);
        (here.epoch == there.epoch).then_some(here.epoch)
    })
    .await;
    assert_ne!(
        now, before.epoch,
        "the epoch has not changed, so clients receive no gap"
    );
    assert!(files(&server, LOG).exists());
    assert!(
        [&first, &second]
            .into_iter()
            .any(|appended| appended.cursor.epoch == now)
    );
    let start = beginning(&one).await;
    let mut tail = two.tail(&start).await.unwrap();
    let held = read(&one, &start).await;
    append(&one, "after").await;
    let all = [held, vec!["after".to_owned()]].concat();
    assert_eq!(take(&mut tail, all.len()).await, all);
    // The entry is on disk.
    server.stop();
    server.resume().await;
    eventually("the server", async || one.bounds().await.ok()).await;
    assert_eq!(one.bounds().await.unwrap().epoch, now);
    assert_eq!(read(&one, &start).await, all);
}

#[tokio::test]
async fn leases_recover_after_loss_of_files() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    let lease = Lease {
        node: "node".into(),
        payload: "x".into(),
    };
    let term = Duration::from_secs(600);
    node.hold_lease(lease.clone(), term).await.unwrap();
    lose(&server, STATE).await;
    is_broken(&server, "test.suite.state.foreign").await;
    eventually("a lease", async || {
        node.hold_lease(lease.clone(), term).await.ok()
    })
    .await;
    assert_eq!(node.leases().await.unwrap(), [lease]);
    assert!(files(&server, STATE).exists());
}

/// Nodes whose stream is deleted wait before they create it again, for as long as the deletion
/// takes.
#[tokio::test]
async fn deleted_log_is_recreated_with_files() {
    let Some(server) = Server::start().await else {
        return;
    };
    let (one, two) = (server.node().await, server.node().await);
    for round in 0..3 {
        let deleted = beginning(&one).await.epoch;
        for _ in 0..20 {
            append(&one, "x".repeat(1 << 20)).await;
        }
        let client = server.client().await;
        let delete = async { ask(&client, &format!("STREAM.DELETE.{LOG}"), json!({})).await };
        // An append that arrives before the deletion goes to the deleted log.
        let again = async |node| {
            eventually("an append to the new log", async || {
                let appended = sse_nats::NatsBackplane::append(node, entry("x")).await;
                appended.ok().filter(|it| it.cursor.epoch != deleted)
            })
            .await
        };
        join!(delete, again(&one), again(&two));
        assert!(files(&server, LOG).join("msgs").exists(), "round {round}");
    }
}
