//! Notifications, field by field.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sse_core::{IntoEvent, Target};
use sse_notify::{Kind, Notification};

use crate::recorder::Recorder;

const AT: u64 = 1_732_312_345_678;

fn notification(data: &str) -> String {
    format!("event: notification\ndata: {data}\n\n")
}

#[tokio::test]
async fn the_four_kinds() {
    let recorder = Recorder::default();
    let notify = recorder.notifier();
    let sends = [
        (notify.user("42").success("Operation completed successfully!"), "success"),
        (notify.user("42").info("Operation completed successfully!"), "info"),
        (notify.user("42").warning("Operation completed successfully!"), "warning"),
        (notify.user("42").error("Operation completed successfully!"), "error"),
    ];
    for (send, kind) in sends {
        send.timestamp(AT).await.unwrap();
        let sent = recorder.sent();
        let data =
            format!(r#"{{"type":"{kind}","message":"Operation completed successfully!","timestamp":{AT}}}"#);
        assert_eq!(sent.wire, notification(&data));
    }
}

#[tokio::test]
async fn a_title_comes_before_the_message() {
    let recorder = Recorder::default();
    recorder
        .notifier()
        .user("42")
        .error("Something went wrong")
        .title("Error Title")
        .timestamp(AT)
        .await
        .unwrap();
    let data = r#"{"type":"error","title":"Error Title","message":"Something went wrong","timestamp":1732312345678}"#;
    assert_eq!(recorder.sent().wire, notification(data));
}

#[tokio::test]
async fn a_notification_of_ones_own() {
    let recorder = Recorder::default();
    let custom =
        Notification::new(Kind::Info, "This is a custom message").title("Custom Notification").timestamp(AT);
    let notify = recorder.notifier();
    let send = notify.user("42").notification(custom).data(json!({ "customField": "value" }));
    send.await.unwrap();
    let data = r#"{"type":"info","title":"Custom Notification","message":"This is a custom message","data":{"customField":"value"},"timestamp":1732312345678}"#;
    assert_eq!(recorder.sent().wire, notification(data));
}

#[tokio::test]
async fn a_broadcast() {
    let recorder = Recorder::default();
    let notify = recorder.notifier();
    let send = notify.everyone().warning("Please save your work").title("System Alert");
    send.data(json!({ "maintenanceTime": "2024-01-01T10:00:00Z" })).timestamp(AT).await.unwrap();
    let sent = recorder.sent();
    assert_eq!(sent.target, Target::All);
    let data = r#"{"type":"warning","title":"System Alert","message":"Please save your work","data":{"maintenanceTime":"2024-01-01T10:00:00Z"},"timestamp":1732312345678}"#;
    assert_eq!(sent.wire, notification(data));
}

#[tokio::test]
async fn data_of_a_type_of_ones_own() {
    #[derive(serde::Serialize)]
    struct Export {
        url: &'static str,
        bytes: Option<u64>,
    }

    let recorder = Recorder::default();
    let notify = recorder.notifier();
    let send = notify.user("42").success("ready").data(Export { url: "/export/7", bytes: None });
    send.timestamp(AT).await.unwrap();
    let data = r#"{"type":"success","message":"ready","data":{"bytes":null,"url":"/export/7"},"timestamp":1732312345678}"#;
    assert_eq!(recorder.sent().wire, notification(data));
}

#[tokio::test]
async fn the_time_is_filled_in_when_it_is_sent() {
    let now = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let recorder = Recorder::default();
    let notifier = recorder.notifier();
    let send = notifier.user("42").info("late");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = now();
    send.await.unwrap();
    let wire = recorder.sent().wire;
    let data = wire.strip_prefix("event: notification\ndata: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert!((before..=now()).contains(&data["timestamp"].as_u64().unwrap()), "{data}");
}

#[tokio::test]
async fn texts_cannot_leave_their_line() {
    let recorder = Recorder::default();
    let notify = recorder.notifier();
    let send = notify.user("42").info("a\r\n\ndata: b\u{2028}\0").title("\n\nevent: gap");
    send.timestamp(AT).await.unwrap();
    let wire = recorder.sent().wire;
    assert_eq!(wire.matches(['\n', '\r']).count(), 3, "{wire:?}");
    let data: Value =
        serde_json::from_str(wire.strip_prefix("event: notification\ndata: ").unwrap()).unwrap();
    assert_eq!(
        (&data["message"], &data["title"]),
        (&"a\r\n\ndata: b\u{2028}\0".into(), &"\n\nevent: gap".into())
    );
}

#[tokio::test]
async fn nothing_is_sent_that_is_not_awaited() {
    let recorder = Recorder::default();
    let notifier = recorder.notifier();
    drop(notifier.user("42").info("never"));
    drop(notifier.user("42").system("never"));
    drop(IntoFuture::into_future(notifier.user("42").info("never")));
    assert!(recorder.is_empty());
}

#[test]
fn what_stands_on_the_wire_is_read_again() {
    let full = r#"{"type":"warning","title":"t","message":"m","data":{"a":1},"timestamp":5}"#;
    let read: Notification = serde_json::from_str(full).unwrap();
    let data = json!({ "a": 1 }).as_object().unwrap().clone();
    assert_eq!(read, Notification::new(Kind::Warning, "m").title("t").data(data).timestamp(5));
    assert_eq!(read.into_event().unwrap().encode(), notification(full));
    let least: Notification = serde_json::from_str(r#"{"message":"m"}"#).unwrap();
    assert_eq!(least, Notification::new(Kind::Info, "m"));
    assert_eq!(serde_json::to_string(&least).unwrap(), r#"{"type":"info","message":"m"}"#);
}

#[test]
fn kinds_are_the_seeds_words() {
    for (kind, word) in
        [(Kind::Info, "info"), (Kind::Success, "success"), (Kind::Warning, "warning"), (Kind::Error, "error")]
    {
        assert_eq!((kind.as_str(), kind.to_string()), (word, word.to_owned()));
        assert_eq!(word.parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), word);
    }
    let error = "Info".parse::<Kind>().unwrap_err();
    assert_eq!(error.to_string(), "is not info, success, warning or error");
}
