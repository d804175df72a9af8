//! The contents of notifications.

use serde_json::json;
use sse_core::{IntoEvent, Manager};
use sse_notify::{JsonObject, Kind, Notification, Notifier};
use sse_testkit::Decoder;

#[test]
fn texts_cannot_leave_their_line() {
    let (message, title) = ("a\r\n\ndata: b\u{2028}\0", "\n\nevent: gap");
    let event = Notification::new(Kind::Info, message)
        .title(title)
        .into_event()
        .unwrap();
    let wire = String::from_utf8(event.encode().to_vec()).unwrap();
    assert_eq!(wire.matches(['\n', '\r']).count(), 3, "{wire:?}");
    let [event] = &Decoder::decode(wire.as_bytes())[..] else {
        panic!("{wire:?}")
    };
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(
        (&data["message"], &data["title"]),
        (&message.into(), &title.into())
    );
}

#[tokio::test]
async fn unawaited_notification_is_not_sent() {
    let manager = Manager::builder().build().unwrap();
    let notify = Notifier::new(manager.clone());
    drop(notify.user("42").info("never"));
    drop(notify.user("42").system("never"));
    drop(IntoFuture::into_future(notify.user("42").info("never")));
    assert_eq!(manager.stats().counters.published, 0);
}

#[test]
fn wire_format_round_trips() {
    let full = r#"{"type":"warning","title":"t","message":"m","data":{"a":1},"timestamp":5}"#;
    let read: Notification = serde_json::from_str(full).unwrap();
    let data = JsonObject::new(&json!({ "a": 1 })).unwrap();
    assert_eq!(
        read,
        Notification::new(Kind::Warning, "m")
            .title("t")
            .data(data)
            .timestamp(5)
    );
    assert_eq!(
        read.into_event().unwrap().encode(),
        format!("event: notification\ndata: {full}\n\n")
    );
    let least: Notification = serde_json::from_str(r#"{"message":"m"}"#).unwrap();
    assert_eq!(least, Notification::new(Kind::Info, "m"));
    assert_eq!(
        serde_json::to_string(&least).unwrap(),
        r#"{"type":"info","message":"m"}"#
    );
}

#[test]
fn kinds_have_documented_names() {
    for (kind, word) in [
        (Kind::Info, "info"),
        (Kind::Success, "success"),
        (Kind::Warning, "warning"),
        (Kind::Error, "error"),
    ] {
        assert_eq!((kind.as_str(), kind.to_string()), (word, word.to_owned()));
        assert_eq!(word.parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), word);
    }
    let error = "Info".parse::<Kind>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "kind of notification is not info, success, warning or error"
    );
}
