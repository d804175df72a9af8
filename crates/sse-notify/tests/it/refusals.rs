//! Notifications and events that are refused.

use serde_json::json;
use sse_core::{
    Event, EventType, Manager, PublishError,
    event::{EventError, RESERVED_SYSTEM_EVENTS},
};
use sse_notify::Notifier;

/// A value that does not serialize.
struct Unspeakable;

impl serde::Serialize for Unspeakable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("unspeakable"))
    }
}

/// Returns the message of an error and of all its sources.
fn error_text(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn notifier() -> (Manager, Notifier) {
    let manager = Manager::builder().build().unwrap();
    (manager.clone(), Notifier::new(manager))
}

#[tokio::test]
async fn reserved_names_are_rejected() {
    let (manager, notify) = notifier();
    for name in RESERVED_SYSTEM_EVENTS {
        let error = notify.all().system(name).data(json!({})).await.unwrap_err();
        assert!(
            matches!(&error, PublishError::Reserved { kind: "system event", name: found } if found == name),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            format!("system event \"{name}\" is reserved")
        );
    }
    notify.all().system("gaps").await.unwrap();
    for event_type in [EventType::CONNECTION, EventType::HEARTBEAT] {
        let error = notify
            .user("42")
            .event(Event::text("x").with_event_type(event_type))
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                PublishError::Reserved {
                    kind: "event type",
                    ..
                }
            ),
            "{error:?}"
        );
    }
    assert_eq!(manager.stats().counters.published, 1);
}

#[tokio::test]
async fn data_that_is_not_an_object_is_rejected() {
    let (manager, notify) = notifier();
    for (data, kind) in [
        (json!([1, 2]), "an array"),
        (json!("text"), "a text"),
        (json!(5), "a number"),
        (json!(true), "a boolean"),
        (json!(null), "null"),
    ] {
        let error = notify
            .user("42")
            .info("x")
            .data(data)
            .title("t")
            .timestamp(5)
            .await
            .unwrap_err();
        assert!(
            matches!(error, PublishError::Event(EventError::Json(_))),
            "{error:?}"
        );
        assert!(
            error_text(&error).ends_with(&format!(": data must be an object, not {kind}")),
            "{}",
            error_text(&error)
        );
    }
    assert_eq!(manager.stats().counters.published, 0);
}

#[tokio::test]
async fn error_text_is_bounded() {
    let (_, notify) = notifier();
    let error = notify
        .user("42")
        .info("x")
        .data("secret ".repeat(10_000))
        .await
        .unwrap_err();
    assert!(
        error_text(&error).len() < 200,
        "{} bytes",
        error_text(&error).len()
    );
}

#[tokio::test]
async fn unserializable_data_is_rejected() {
    let (manager, notify) = notifier();
    let errors = [
        notify
            .user("42")
            .info("x")
            .data(Unspeakable)
            .data(json!({}))
            .await
            .unwrap_err(),
        notify
            .user("42")
            .system("x")
            .data(Unspeakable)
            .data(json!({}))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(error, PublishError::Event(EventError::Json(_))),
            "{error:?}"
        );
        assert!(error_text(&error).ends_with(": unspeakable"), "{error}");
    }
    assert_eq!(manager.stats().counters.published, 0);
}

#[tokio::test]
async fn invalid_names_are_rejected() {
    let (manager, notify) = notifier();
    let long = "x".repeat(1025);
    for name in ["", "a\nb", "a\0", &*long] {
        for (recipient, field) in [(notify.user(name), "user"), (notify.topic(name), "topic")] {
            let error = recipient.success("x").await.unwrap_err();
            assert!(
                matches!(&error, PublishError::Target { field: found, .. } if *found == field),
                "{error:?}"
            );
            assert!(error.to_string().starts_with(field), "{error}");
        }
        notify.user(name).system("x").await.unwrap_err();
        notify.user(name).event(Event::text("x")).await.unwrap_err();
    }
    assert_eq!(manager.stats().counters.published, 0);
    let error = notify
        .user("x".repeat(257))
        .info("longer than the setting")
        .await
        .unwrap_err();
    assert!(
        matches!(error, PublishError::Target { field: "user", .. }),
        "{error:?}"
    );
}
