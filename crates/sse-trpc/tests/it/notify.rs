//! `sendSuccess`, `sendInfo`, `sendWarning`, `sendError`, `sendNotification`,
//! `broadcastNotification`.

use serde_json::{Value, json};

use crate::api::{Api, quoted};

#[tokio::test]
async fn each_kind_has_a_procedure() {
    let api = Api::open().user("ada");
    let mut stream = api.listen("ada", &[]);
    for (procedure, kind) in [
        ("sse.sendSuccess", "success"),
        ("sse.sendInfo", "info"),
        ("sse.sendWarning", "warning"),
        ("sse.sendError", "error"),
    ] {
        api.mutate(procedure, json!({ "message": "hello", "timestamp": 7 }))
            .await
            .matched(1);
        let data = json!({ "type": kind, "message": "hello", "timestamp": 7 });
        assert_eq!(stream.event(), ("notification".into(), data));
    }
}

#[tokio::test]
async fn every_field_arrives() {
    let api = Api::open();
    let mut stream = api.listen("ada", &[]);
    let input = json!({ "userId": "ada", "type": "warning", "title": "T", "message": "a\nb \u{2028}", "data": { "n": [1, null] }, "timestamp": 7 });
    api.mutate("sse.sendNotification", input.clone())
        .await
        .matched(1);
    let mut expected = input;
    expected.as_object_mut().unwrap().remove("userId");
    assert_eq!(stream.event(), ("notification".into(), expected));
}

#[tokio::test]
async fn omitted_fields_get_defaults_or_stay_absent() {
    let api = Api::open();
    let mut stream = api.listen("ada", &[]);
    let before = sse_core::backplane::unix_ms();
    for input in [
        json!({ "userId": "ada", "message": "hello" }),
        json!({ "userId": "ada", "message": "hello", "title": null, "data": null, "timestamp": null, "type": null }),
    ] {
        api.mutate("sse.sendNotification", input).await.matched(1);
        let (_, mut data) = stream.event();
        let timestamp = data.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!((before..=sse_core::backplane::unix_ms()).contains(&timestamp.as_u64().unwrap()));
        assert_eq!(data, json!({ "type": "info", "message": "hello" }));
    }
}

#[tokio::test]
async fn notification_without_user_goes_to_the_caller() {
    let api = Api::open().user("ada");
    let (mut ada, mut ben) = (api.listen("ada", &[]), api.listen("ben", &[]));
    api.mutate("sse.sendInfo", json!({ "message": "mine" }))
        .await
        .matched(1);
    api.mutate(
        "sse.sendInfo",
        json!({ "message": "yours", "userId": "ben" }),
    )
    .await
    .matched(1);
    assert_eq!(ada.event().1["message"], "mine");
    assert_eq!(ben.event().1["message"], "yours");
}

#[tokio::test]
async fn a_caller_without_a_user_must_name_one() {
    let answer = Api::open()
        .mutate("sse.sendInfo", json!({ "message": "hello" }))
        .await;
    answer.bad_request("userId: is missing, and the caller is not a user");
}

#[tokio::test]
async fn a_broadcast_reaches_everybody() {
    let api = Api::open();
    let (mut ada, mut ben) = (api.listen("ada", &[]), api.listen("ben", &[]));
    let input =
        json!({ "message": "all", "type": "error", "title": "T", "data": {}, "timestamp": 0 });
    api.mutate("sse.broadcastNotification", input.clone())
        .await
        .matched(2);
    assert_eq!(ada.event(), ("notification".into(), input.clone()));
    assert_eq!(ben.event(), ("notification".into(), input));
}

#[tokio::test]
async fn notification_without_streams_is_not_an_error() {
    let api = Api::open();
    api.mutate(
        "sse.sendInfo",
        json!({ "message": "hello", "userId": "nobody" }),
    )
    .await
    .matched(0);
    api.mutate("sse.broadcastNotification", json!({ "message": "hello" }))
        .await
        .matched(0);
}

#[tokio::test]
async fn lengths_and_ranges_are_checked() {
    let api = Api::open().limits(|limits| (limits.message, limits.title) = (4, 3));
    let long_user = "u".repeat(257);
    for (field, value, problem) in [
        ("message", json!(""), "is empty".into()),
        (
            "message",
            json!("ééé"),
            "is 6 bytes long, more than 4: \"ééé\"".to_owned(),
        ),
        (
            "title",
            json!("four"),
            "is 4 bytes long, more than 3: \"four\"".into(),
        ),
        (
            "userId",
            json!(long_user),
            format!("is 257 bytes long, more than 256: {}", quoted('u')),
        ),
        ("userId", json!(""), "is empty".into()),
        (
            "userId",
            json!("a\nb"),
            r#"contains '\n' at byte 1: "a\nb""#.into(),
        ),
        (
            "timestamp",
            json!(8_640_000_000_000_001_u64),
            "must be 0 to 8640000000000000, not 8640000000000001".into(),
        ),
    ] {
        let mut input = json!({ "message": "éé", "title": "abc", "userId": "u".repeat(256), "timestamp": 8_640_000_000_000_000_u64 });
        api.mutate("sse.sendNotification", input.clone())
            .await
            .matched(0);
        input[field] = value;
        for procedure in ["sse.sendNotification", "sse.sendSuccess"] {
            api.mutate(procedure, input.clone())
                .await
                .bad_request(&format!("{field}: {problem}"));
        }
    }
}

#[tokio::test]
async fn user_id_length_is_the_managers_limit() {
    let mut config = sse_core::Config::default();
    config.limits.user = 3;
    let manager = sse_core::Manager::builder()
        .config(config)
        .access(sse_core::access::AllowAll)
        .build()
        .unwrap();
    let answer = Api::of(manager)
        .mutate("sse.sendInfo", json!({ "message": "m", "userId": "four" }))
        .await;
    answer.bad_request("userId: is 4 bytes long, more than 3: \"four\"");
}

#[tokio::test]
async fn types_are_checked() {
    let api = Api::open();
    for (field, value, problem) in [
        (
            "message",
            json!(7),
            "invalid type: integer `7`, expected a string",
        ),
        (
            "message",
            Value::Null,
            "invalid type: null, expected a string",
        ),
        (
            "userId",
            json!(7),
            "invalid type: integer `7`, expected a string",
        ),
        ("title", json!({}), "invalid type: map, expected a string"),
        (
            "data",
            json!([]),
            "invalid type: an array, expected an object",
        ),
        (
            "data",
            json!("x"),
            "invalid type: a text, expected an object",
        ),
        (
            "timestamp",
            json!("now"),
            "invalid type: string \"now\", expected u64",
        ),
        (
            "timestamp",
            json!(-1),
            "invalid value: integer `-1`, expected u64",
        ),
        (
            "timestamp",
            json!(1.5),
            "invalid type: floating point `1.5`, expected u64",
        ),
        (
            "type",
            json!("fatal"),
            "unknown variant `fatal`, expected one of `info`, `success`, `warning`, `error`",
        ),
    ] {
        let mut input = json!({ "message": "m", "userId": "ada" });
        input[field] = value;
        api.mutate("sse.sendNotification", input)
            .await
            .bad_request(&format!("{field}: {problem}"));
    }
    let answer = api
        .mutate("sse.sendNotification", json!({ "message": "m" }))
        .await;
    answer.bad_request("missing field `userId`");
}

#[tokio::test]
async fn event_larger_than_a_queue_is_too_large() {
    let manager = sse_core::Manager::builder()
        .queue(8, 1024)
        .access(sse_core::access::AllowAll)
        .build()
        .unwrap();
    let input = json!({ "message": "x".repeat(2000) });
    let answer = Api::of(manager)
        .mutate("sse.broadcastNotification", input)
        .await;
    let (code, message) = answer.error();
    assert_eq!((answer.status, code.as_str()), (413, "PAYLOAD_TOO_LARGE"));
    assert!(
        message.ends_with("more than the 1024 that a stream can queue"),
        "{message}"
    );
}
