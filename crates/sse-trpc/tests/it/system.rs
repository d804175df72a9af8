//! `sendSystemEvent`, `broadcastSystemEvent`.

use serde_json::{Value, json};
use sse_core::event::RESERVED_SYSTEM_EVENTS;
use sse_trpc::Transformer;

use crate::api::{Api, quoted};

#[tokio::test]
async fn system_event_reaches_a_user_or_all() {
    let api = Api::open();
    let (mut ada, mut ben) = (api.listen("ada", &[]), api.listen("ben", &[]));
    let input = json!({ "userId": "ada", "event": "user_profile_updated", "data": { "changes": ["name"] } });
    api.mutate("sse.sendSystemEvent", input).await.matched(1);
    let (event_type, data) = ada.event();
    assert_eq!(event_type, "system");
    assert_eq!(data["event"], "user_profile_updated");
    assert_eq!(data["data"], json!({ "changes": ["name"] }));
    assert!(data["timestamp"].is_u64());
    assert_eq!(ben.events(), []);

    api.mutate(
        "sse.broadcastSystemEvent",
        json!({ "event": "server_maintenance" }),
    )
    .await
    .matched(2);
    for stream in [&mut ada, &mut ben] {
        let (_, data) = stream.event();
        assert_eq!(data["event"], "server_maintenance");
        assert_eq!(data.get("data"), None);
    }
}

#[tokio::test]
async fn data_is_any_value() {
    let api = Api::open();
    let mut ada = api.listen("ada", &[]);
    for data in [Value::Null, json!(7), json!("text"), json!([1])] {
        api.mutate(
            "sse.broadcastSystemEvent",
            json!({ "event": "e", "data": data }),
        )
        .await
        .matched(1);
        assert_eq!(ada.event().1.get("data"), Some(&data));
    }
}

/// superjson writes `null` for an undefined value, and an annotation for it.
#[tokio::test]
async fn undefined_data_is_absent() {
    let mut api = Api::open();
    api.management = api.management.transformer(Transformer::SuperJson);
    let mut ada = api.listen("ada", &[]);
    let input =
        r#"{"json":{"event":"e","data":null},"meta":{"values":{"data":["undefined"]},"v":1}}"#;
    assert_eq!(
        api.post("sse.broadcastSystemEvent", input.into())
            .await
            .status,
        200
    );
    assert_eq!(ada.event().1.get("data"), None);
    let input =
        r#"{"json":{"event":"e","data":null},"meta":{"values":{"other":["undefined"]},"v":1}}"#;
    assert_eq!(
        api.post("sse.broadcastSystemEvent", input.into())
            .await
            .status,
        200
    );
    assert_eq!(ada.event().1.get("data"), Some(&Value::Null));
    let bad = api
        .post(
            "sse.broadcastSystemEvent",
            r#"{"json":{},"meta":"undefined"}"#.into(),
        )
        .await;
    assert_eq!(bad.status, 400, "{}", bad.text);
}

#[tokio::test]
async fn names_are_checked() {
    let api = Api::open();
    let longest = "e".repeat(128);
    api.mutate("sse.broadcastSystemEvent", json!({ "event": longest }))
        .await
        .matched(0);
    for (name, problem) in [
        (String::new(), "is empty".to_owned()),
        (
            format!("{longest}e"),
            format!("is 129 bytes long, more than 128: {}", quoted('e')),
        ),
        ("gap".into(), "\"gap\" is reserved".into()),
    ] {
        for procedure in ["sse.sendSystemEvent", "sse.broadcastSystemEvent"] {
            let mut input = json!({ "event": name });
            if procedure == "sse.sendSystemEvent" {
                input["userId"] = json!("ada");
            }
            api.mutate(procedure, input)
                .await
                .bad_request(&format!("event: {problem}"));
        }
    }
    let answer = api
        .mutate(
            "sse.sendSystemEvent",
            json!({ "event": "e", "userId": "u".repeat(257) }),
        )
        .await;
    answer.bad_request(&format!(
        "userId: is 257 bytes long, more than 256: {}",
        quoted('u')
    ));
}

#[tokio::test]
async fn the_managers_own_names_are_refused() {
    let api = Api::open();
    let mut stream = api.listen("ada", &[]);
    for name in RESERVED_SYSTEM_EVENTS {
        let answer = api
            .mutate("sse.broadcastSystemEvent", json!({ "event": name }))
            .await;
        answer.bad_request(&format!("event: \"{name}\" is reserved"));
    }
    assert_eq!(stream.events(), []);
}
