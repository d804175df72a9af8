//! A backend integration, call by call.

use futures_util::StreamExt;
use serde_json::json;
use sse_core::{
    EventType, Handshake, Manager, PublishError, Session, backplane::unix_ms, event::Payload,
};
use sse_notify::{JsonObject, Kind, Notification, Notifier};
use sse_testkit::{Decoded, Decoder};

struct Screen {
    session: Session,
    decoder: Decoder,
}

impl Screen {
    fn open(manager: &Manager, handshake: Handshake) -> Self {
        Self {
            session: manager.connect(handshake).unwrap(),
            decoder: Decoder::new(),
        }
    }

    /// Ends the stream and returns its events, without the first one.
    async fn rest(mut self, manager: &Manager) -> Vec<Decoded> {
        manager
            .disconnect(self.session.client_id(), sse_core::DisconnectOptions::new())
            .await;
        let mut events = Vec::new();
        while let Some(bytes) = self.session.next().await {
            events.extend(self.decoder.feed(&bytes));
        }
        assert_eq!(events.remove(0).event_type, "connection");
        assert!(events.pop().unwrap().data.contains("disconnected"));
        events
    }
}

fn data(events: &[Decoded]) -> Vec<&str> {
    events.iter().map(|event| event.data.as_str()).collect()
}

fn setting() -> (Manager, Notifier) {
    let manager = Manager::builder().build().unwrap();
    (manager.clone(), Notifier::new(manager))
}

#[tokio::test]
async fn notification_reaches_only_its_user() {
    let (manager, notify) = setting();
    let mine = Screen::open(&manager, Handshake::new().user("42"));
    let other = Screen::open(&manager, Handshake::new().user("7"));
    notify
        .user("42")
        .success("Operation completed successfully!")
        .timestamp(1)
        .await
        .unwrap();
    notify
        .user("42")
        .error("Something went wrong")
        .title("Error Title")
        .timestamp(2)
        .await
        .unwrap();
    notify
        .user("42")
        .warning("careful")
        .timestamp(3)
        .await
        .unwrap();
    notify
        .user("42")
        .info("two\nlines")
        .timestamp(4)
        .await
        .unwrap();
    let custom = Notification::new(Kind::Info, "This is a custom message")
        .title("Custom Notification")
        .data(JsonObject::new(&json!({ "customField": "value" })).unwrap())
        .timestamp(5);
    notify.user("42").notification(custom).await.unwrap();
    let events = mine.rest(&manager).await;
    assert!(
        events
            .iter()
            .all(|event| event.event_type == "notification")
    );
    assert_eq!(
        data(&events),
        [
            r#"{"type":"success","message":"Operation completed successfully!","timestamp":1}"#,
            r#"{"type":"error","title":"Error Title","message":"Something went wrong","timestamp":2}"#,
            r#"{"type":"warning","message":"careful","timestamp":3}"#,
            r#"{"type":"info","message":"two\nlines","timestamp":4}"#,
            r#"{"type":"info","title":"Custom Notification","message":"This is a custom message","data":{"customField":"value"},"timestamp":5}"#,
        ]
    );
    assert!(other.rest(&manager).await.is_empty());
}

#[tokio::test]
async fn each_event_reaches_its_recipients() {
    #[derive(serde::Serialize)]
    struct OrderShipped {
        order: u32,
    }
    impl Payload for OrderShipped {
        const EVENT: EventType = EventType::from_static("order_shipped");
    }

    let (manager, notify) = setting();
    let user = Screen::open(&manager, Handshake::new().user("42").topic("orders"));
    let anonymous = Screen::open(&manager, Handshake::new());
    let everyone = notify.all();
    everyone
        .warning("Please save your work")
        .title("System Alert")
        .timestamp(1)
        .await
        .unwrap();
    notify
        .all()
        .system("server_maintenance")
        .data(json!({ "duration": "30min" }))
        .timestamp(2)
        .await
        .unwrap();
    notify
        .user("42")
        .system("user_profile_updated")
        .timestamp(3)
        .await
        .unwrap();
    let receipt = notify
        .topic("orders")
        .event(&OrderShipped { order: 7 })
        .await
        .unwrap();
    assert_eq!(receipt.matched, 1);
    notify
        .all()
        .except(anonymous.session.client_id())
        .info("not you")
        .timestamp(4)
        .await
        .unwrap();
    notify
        .client(anonymous.session.client_id())
        .info("only you")
        .timestamp(5)
        .await
        .unwrap();

    let common = [
        r#"{"type":"warning","title":"System Alert","message":"Please save your work","timestamp":1}"#,
        r#"{"event":"server_maintenance","data":{"duration":"30min"},"timestamp":2}"#,
    ];
    let events = user.rest(&manager).await;
    assert_eq!(data(&events)[..2], common);
    assert_eq!(
        data(&events)[2..],
        [
            r#"{"event":"user_profile_updated","timestamp":3}"#,
            r#"{"order":7}"#,
            r#"{"type":"info","message":"not you","timestamp":4}"#,
        ]
    );
    let types: Vec<_> = events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    assert_eq!(
        types,
        [
            "notification",
            "system",
            "system",
            "order_shipped",
            "notification"
        ]
    );
    let events = anonymous.rest(&manager).await;
    assert_eq!(data(&events)[..2], common);
    assert_eq!(
        data(&events)[2..],
        [r#"{"type":"info","message":"only you","timestamp":5}"#]
    );
}

#[tokio::test]
async fn missing_timestamp_is_set() {
    let (manager, notify) = setting();
    let screen = Screen::open(&manager, Handshake::new().user("42"));
    let before = unix_ms();
    notify.user("42").info("now").await.unwrap();
    notify.user("42").system("now").await.unwrap();
    for event in screen.rest(&manager).await {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        assert!((before..=unix_ms()).contains(&data["timestamp"].as_u64().unwrap()));
    }
}

#[tokio::test]
async fn failed_send_is_reported_and_reaches_nobody() {
    let (manager, notify) = setting();
    let screen = Screen::open(&manager, Handshake::new().user("42"));
    let reserved = notify.user("42").system("shutdown").await.unwrap_err();
    assert!(
        matches!(reserved, PublishError::Reserved { .. }),
        "{reserved}"
    );
    let not_an_object = notify.user("42").info("x").data([1, 2]).await.unwrap_err();
    assert!(
        matches!(not_an_object, PublishError::Event(_)),
        "{not_an_object}"
    );
    let bad_name = notify.user("").info("x").await.unwrap_err();
    assert_eq!(bad_name.to_string(), "user is empty");
    let bad_topic = notify.topic("a\nb").info("x").await.unwrap_err();
    assert!(
        bad_topic.to_string().starts_with("topic contains"),
        "{bad_topic}"
    );
    assert!(screen.rest(&manager).await.is_empty());
}
