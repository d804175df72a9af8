//! Existing streams.

use std::time::Duration;

use serde_json::json;
use sse_core::{
    Retention,
    backplane::{Backplane, BackplaneError},
};
use sse_nats::{NatsBackplane, NatsConfig, Storage};

use crate::server::{LOG, STATE, Server, config};

#[tokio::test]
async fn log_is_created_as_configured() {
    let Some(server) = Server::start().await else {
        return;
    };
    let retention = Retention::default()
        .entries(500)
        .bytes(1 << 20)
        .age(Duration::from_secs(3600));
    let node = server.node_with(config().retention(retention)).await;
    let epoch = node.bounds().await.unwrap().epoch;
    let log = server.ask(&format!("STREAM.INFO.{LOG}"), json!({})).await["config"].clone();
    assert_eq!(log["subjects"], json!([format!("test.suite.log.{epoch}")]));
    assert_eq!(
        (&log["max_msgs"], &log["max_bytes"], &log["max_age"]),
        (&json!(500), &json!(1 << 20), &json!(3_600_000_000_000_u64))
    );
    assert_eq!(
        (&log["storage"], &log["discard"], &log["retention"]),
        (&json!("file"), &json!("old"), &json!("limits"))
    );
    assert_eq!(log["duplicate_window"], json!(120_000_000_000_u64));
    let state = server.ask(&format!("STREAM.INFO.{STATE}"), json!({})).await["config"].clone();
    assert_eq!(
        (&state["subjects"], &state["max_msgs_per_subject"]),
        (&json!(["test.suite.state.>"]), &json!(1))
    );
}

#[tokio::test]
async fn new_retention_changes_existing_log() {
    let Some(server) = Server::start().await else {
        return;
    };
    let epoch = server.node().await.bounds().await.unwrap().epoch;
    let node = server
        .node_with(config().retention(Retention::default().entries(7)))
        .await;
    assert_eq!(node.bounds().await.unwrap().epoch, epoch);
    let log = server.ask(&format!("STREAM.INFO.{LOG}"), json!({})).await;
    assert_eq!(log["config"]["max_msgs"], 7);
}

async fn refusal(server: &Server, config: NatsConfig) -> String {
    match NatsBackplane::connect(&server.url(), config).await {
        Err(BackplaneError::Rejected { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn unchangeable_setting_is_rejected_by_name() {
    let Some(server) = Server::start().await else {
        return;
    };
    drop(server.node().await);
    let reason = refusal(&server, config().storage(Storage::Memory)).await;
    assert!(
        reason.contains(LOG) && reason.contains("storage is \"file\", not \"memory\""),
        "{reason}"
    );
}

#[tokio::test]
async fn foreign_stream_is_rejected_and_unchanged() {
    let Some(server) = Server::start().await else {
        return;
    };
    let foreign = json!({ "name": LOG, "subjects": ["orders.>"], "retention": "workqueue", "storage": "file" });
    let made = server.ask(&format!("STREAM.CREATE.{LOG}"), foreign).await;
    let reason = refusal(&server, config()).await;
    assert!(
        reason.contains("subjects is [\"orders.>\"]")
            && reason.contains("retention is \"workqueue\""),
        "{reason}"
    );
    let now = server.ask(&format!("STREAM.INFO.{LOG}"), json!({})).await;
    assert_eq!(now["config"], made["config"]);
}

#[tokio::test]
async fn subjects_of_another_stream_are_rejected() {
    let Some(server) = Server::start().await else {
        return;
    };
    let foreign = json!({ "name": "ALL", "subjects": ["test.>"], "storage": "memory" });
    server.ask("STREAM.CREATE.ALL", foreign).await;
    refusal(&server, config()).await;
}

#[tokio::test]
async fn prefixes_separate_logs() {
    let Some(server) = Server::start().await else {
        return;
    };
    let (one, other) = (
        server.node().await,
        server.node_with(NatsConfig::default()).await,
    );
    assert_ne!(
        one.bounds().await.unwrap().epoch,
        other.bounds().await.unwrap().epoch
    );
}

#[tokio::test]
async fn memory_log_changes_epoch_after_restart() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let node = server.node_with(config().storage(Storage::Memory)).await;
    let epoch = node.bounds().await.unwrap().epoch;
    server.stop();
    server.resume().await;
    let end = tokio::time::Instant::now() + Duration::from_secs(90);
    while node
        .bounds()
        .await
        .is_ok_and(|bounds| bounds.epoch == epoch)
        || node.bounds().await.is_err()
    {
        assert!(
            tokio::time::Instant::now() < end,
            "the loss was not detected in time"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn configuration_out_of_range_is_rejected() {
    let Some(server) = Server::start().await else {
        return;
    };
    assert!(
        refusal(&server, config().prefix("a b"))
            .await
            .contains("prefix")
    );
    assert!(
        refusal(&server, config().replicas(0))
            .await
            .contains("replicas")
    );
    assert!(
        refusal(&server, config().retention(Retention::default().entries(0)))
            .await
            .contains("entries")
    );
}

#[tokio::test]
async fn more_replicas_than_servers_are_rejected() {
    let Some(server) = Server::start().await else {
        return;
    };
    refusal(&server, config().replicas(3)).await;
}
