//! `publish`.

use serde_json::{Value, json};

use crate::api::{Api, quoted};

#[tokio::test]
async fn publish_reaches_its_target() {
    let api = Api::open();
    let mut ada = api.listen("ada", &["news"]);
    let mut ben = api.listen("ben", &[]);
    for (target, matched, (for_ada, for_ben)) in [
        (json!("all"), 2, (1, 1)),
        (json!({ "user": "ada" }), 1, (1, 0)),
        (json!({ "client": ben.id() }), 1, (0, 1)),
        (json!({ "topic": "news" }), 1, (1, 0)),
        (json!({ "topic": "sport" }), 0, (0, 0)),
        (json!({ "client": "0".repeat(32) }), 0, (0, 0)),
    ] {
        let input = json!({ "target": target, "event": "tick", "data": 7 });
        api.mutate("sse.publish", input).await.matched(matched);
        assert_eq!(
            (ada.events().len(), ben.events().len()),
            (for_ada, for_ben),
            "{target}"
        );
    }
}

#[tokio::test]
async fn data_arrives_as_it_was_written() {
    let api = Api::open();
    let mut ada = api.listen("ada", &[]);
    for data in [
        r#"{"z":1,"a":12345678901234567890123,"a":1.10}"#,
        "null",
        r#""\ud83d\ude00\u0041""#,
        "[ 1 ,2 ]",
    ] {
        let body = format!(r#"{{"target":"all","event":"tick","data":{data}}}"#);
        api.post("sse.publish", body).await.matched(1);
        let events = ada.events();
        assert_eq!(
            (events[0].event_type.as_str(), events[0].data.as_str()),
            ("tick", data)
        );
    }
}

#[tokio::test]
async fn data_with_line_breaks_stays_one_line() {
    let api = Api::open();
    let mut ada = api.listen("ada", &[]);
    let body = "{\"target\":\"all\",\"event\":\"tick\",\"data\":{\r\n\"a\":\n1}}";
    api.post("sse.publish", body.into()).await.matched(1);
    assert_eq!(ada.event(), ("tick".into(), json!({ "a": 1 })));
}

#[tokio::test]
async fn excepted_streams_are_left_out() {
    let api = Api::open().limits(|limits| limits.except = 2);
    let (mut ada, mut ben) = (api.listen("ada", &[]), api.listen("ben", &[]));
    let mut input = json!({ "target": "all", "event": "tick", "data": 1, "except": [ada.id()] });
    api.mutate("sse.publish", input.clone()).await.matched(1);
    assert_eq!((ada.events().len(), ben.events().len()), (0, 1));

    input["except"] = json!([ada.id(), ben.id(), ada.id()]);
    api.mutate("sse.publish", input.clone())
        .await
        .bad_request("except: has 3 client ids, more than 2");
    input["except"] = json!([ada.id(), "ben"]);
    let message = "except[1]: \"ben\" is not a client id (32 lower-case hexadecimal digits)";
    api.mutate("sse.publish", input).await.bad_request(message);
}

#[tokio::test]
async fn ephemeral_changes_nothing_without_a_log() {
    let api = Api::open();
    let mut ada = api.listen("ada", &[]);
    for ephemeral in [json!(true), json!(false), Value::Null] {
        let input = json!({ "target": "all", "event": "tick", "data": 1, "ephemeral": ephemeral });
        api.mutate("sse.publish", input).await.matched(1);
        assert_eq!(ada.events().len(), 1);
    }
    let input = json!({ "target": "all", "event": "tick", "data": 1, "ephemeral": "yes" });
    let message = "ephemeral: invalid type: string \"yes\", expected a boolean";
    api.mutate("sse.publish", input).await.bad_request(message);
}

#[tokio::test]
async fn a_key_is_refused_without_a_log() {
    let api = Api::open();
    let mut ada = api.listen("ada", &[]);
    let input = json!({ "target": "all", "event": "tick", "data": 1, "key": "once" });
    let answer = api.mutate("sse.publish", input).await;
    answer.bad_request("key: requires an event in the event log");
    assert_eq!(ada.events(), []);
}

#[tokio::test]
async fn reserved_names_are_refused() {
    let api = Api::open();
    let mut ada = api.listen("ada", &[]);
    for name in ["connection", "heartbeat"] {
        let answer = api
            .mutate(
                "sse.publish",
                json!({ "target": "all", "event": name, "data": 1 }),
            )
            .await;
        answer.bad_request(&format!("event: \"{name}\" is reserved"));
    }
    let body =
        r#"{"target":"all","event":"system","data":{"event":"mine","\u0065vent":"\u0067ap"}}"#;
    api.post("sse.publish", body.into())
        .await
        .bad_request("data: system event \"gap\" is reserved");
    assert_eq!(ada.events(), []);
    let input = json!({ "target": "all", "event": "system", "data": { "event": "mine" } });
    api.mutate("sse.publish", input).await.matched(1);
}

#[tokio::test]
async fn fields_are_checked() {
    let api = Api::open();
    for (field, value, message) in [
        ("event", json!(""), "event: is empty"),
        (
            "event",
            json!("a\nb"),
            r#"event: contains '\n' at byte 1: "a\nb""#,
        ),
        (
            "event",
            json!("e".repeat(129)),
            &format!("event: is 129 bytes long, more than 128: {}", quoted('e')),
        ),
        (
            "event",
            Value::Null,
            "event: invalid type: null, expected a string",
        ),
        ("target", json!({ "user": "" }), "target.user: is empty"),
        (
            "target",
            json!({ "user": "u".repeat(257) }),
            &format!(
                "target.user: is 257 bytes long, more than 256: {}",
                quoted('u')
            ),
        ),
        (
            "target",
            json!({ "topic": "t".repeat(257) }),
            &format!(
                "target.topic: is 257 bytes long, more than 256: {}",
                quoted('t')
            ),
        ),
        (
            "target",
            json!({ "topic": "a\tb" }),
            r#"target.topic: contains '\t' at byte 1: "a\tb""#,
        ),
        (
            "target",
            json!({ "client": "x" }),
            "target.client: \"x\" is not a client id (32 lower-case hexadecimal digits)",
        ),
        (
            "target",
            json!({ "everybody": 1 }),
            "target: unknown variant `everybody`, expected one of `all`, `user`, `client`, `topic`",
        ),
        (
            "target",
            json!({ "user": "a", "topic": "b" }),
            "target: invalid value: map, expected map with a single key",
        ),
        (
            "target",
            json!({}),
            "target: invalid value: map, expected map with a single key",
        ),
        (
            "target",
            json!(7),
            "target: invalid type: integer `7`, expected string or map",
        ),
        (
            "except",
            json!("x"),
            "except: invalid type: string \"x\", expected a sequence",
        ),
        (
            "key",
            json!(7),
            "key: invalid type: integer `7`, expected a string",
        ),
    ] {
        let mut input = json!({ "target": "all", "event": "tick", "data": 1 });
        api.mutate("sse.publish", input.clone()).await.matched(0);
        input[field] = value;
        api.mutate("sse.publish", input).await.bad_request(message);
    }
}

#[tokio::test]
async fn only_three_fields_are_required() {
    let api = Api::open();
    for field in ["target", "event", "data"] {
        let mut input = json!({ "target": "all", "event": "tick", "data": 1 });
        input.as_object_mut().unwrap().remove(field);
        api.mutate("sse.publish", input)
            .await
            .bad_request(&format!("missing field `{field}`"));
    }
}
