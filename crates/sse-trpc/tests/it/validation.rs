//! Inputs that every procedure refuses.

use serde_json::{Value, json};

use crate::api::{Api, quoted};

const EVERY: [&str; 12] = [
    "sse.getStats",
    "sse.getConnections",
    "sse.sendSuccess",
    "sse.sendInfo",
    "sse.sendWarning",
    "sse.sendError",
    "sse.sendNotification",
    "sse.broadcastNotification",
    "sse.sendSystemEvent",
    "sse.broadcastSystemEvent",
    "sse.publish",
    "sse.disconnect",
];

async fn ask(api: &Api, procedure: &str, json: &str) -> crate::api::Answer {
    if procedure.starts_with("sse.get") {
        let input: String = form_urlencoded::byte_serialize(json.as_bytes()).collect();
        return api
            .request("GET", &format!("{procedure}?input={input}"), None, "")
            .await;
    }
    api.post(procedure, json.into()).await
}

#[tokio::test]
async fn unknown_fields_are_refused_by_every_procedure() {
    let api = Api::open();
    for procedure in EVERY {
        let answer = ask(&api, procedure, r#"{"colour":"red"}"#).await;
        let (code, message) = answer.error();
        assert_eq!(code, "BAD_REQUEST");
        assert!(
            message.starts_with("colour: unknown field `colour`, expected "),
            "{procedure}: {message}"
        );
    }
}

#[tokio::test]
async fn broken_inputs_are_refused_by_every_procedure() {
    let api = Api::open();
    for procedure in EVERY {
        for (json, message) in [
            (
                "{",
                "the input is not JSON: EOF while parsing an object at line 1 column 1",
            ),
            (
                "{} {}",
                "the input is not JSON: trailing characters at line 1 column 4",
            ),
            ("[]", "the input must be an object"),
            (r#"["hello"]"#, "the input must be an object"),
            ("7", "the input must be an object"),
            (r#""{}""#, "the input must be an object"),
        ] {
            ask(&api, procedure, json).await.bad_request(message);
        }
    }
}

#[tokio::test]
async fn types_of_queries_are_checked() {
    let api = Api::open();
    for (procedure, field, value, problem) in [
        (
            "sse.getStats",
            "byUser",
            json!(1),
            "invalid type: integer `1`, expected a boolean",
        ),
        (
            "sse.getStats",
            "limit",
            json!("1"),
            "invalid type: string \"1\", expected usize",
        ),
        (
            "sse.getConnections",
            "cursor",
            json!("x"),
            "invalid value: string \"x\", expected a cursor of this listing",
        ),
        (
            "sse.getConnections",
            "cursor",
            json!(1_u64 << 32),
            "invalid value: integer `4294967296`, expected a cursor of this listing",
        ),
        (
            "sse.getConnections",
            "limit",
            json!(-1),
            "invalid value: integer `-1`, expected usize",
        ),
        ("sse.getConnections", "userId", json!(""), "is empty"),
        (
            "sse.getConnections",
            "userId",
            json!("u".repeat(257)),
            &format!("is 257 bytes long, more than 256: {}", quoted('u')),
        ),
        (
            "sse.getConnections",
            "topic",
            json!("t".repeat(257)),
            &format!("is 257 bytes long, more than 256: {}", quoted('t')),
        ),
        (
            "sse.getConnections",
            "topic",
            json!("t".repeat(2000)),
            &format!("is 2000 bytes long, more than 1024: {}", quoted('t')),
        ),
    ] {
        let answer = api.query(procedure, json!({ field: value })).await;
        answer.bad_request(&format!("{field}: {problem}"));
    }
}

#[tokio::test]
async fn a_field_given_twice_is_refused() {
    let answer = Api::open()
        .post(
            "sse.broadcastNotification",
            r#"{"message":"a","message":"b"}"#.into(),
        )
        .await;
    answer.bad_request("duplicate field `message`");
}

#[tokio::test]
async fn inputs_are_utf_8() {
    let answer = Api::open()
        .request(
            "POST",
            "sse.broadcastNotification",
            Some("application/json"),
            &b"{\"message\":\"\xff\"}"[..],
        )
        .await;
    answer.bad_request("the input is not UTF-8: invalid utf-8 sequence of 1 bytes from index 12");
}

#[tokio::test]
async fn depth_is_limited() {
    let api = Api::open().limits(|limits| limits.depth = 4);
    for (data, fits) in [
        ("[[[]]]", true),
        ("[[[[]]]]", false),
        (r#"{"a":{"b":{}}}"#, true),
        (r#"{"a":{"b":{"c":{}}}}"#, false),
        (r#""[[[[[[\"{{{{{{""#, true),
        (r#"[[],[],[[]],[[]],[[]]]"#, true),
    ] {
        let body = format!(r#"{{"target":"all","event":"e","data":{data}}}"#);
        let answer = api.post("sse.publish", body).await;
        if fits {
            answer.matched(0);
        } else {
            answer.bad_request("the input nests deeper than 4 levels");
        }
    }
}

#[tokio::test]
async fn depth_exhausts_no_stack() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let body = |data: String| format!(r#"{{"target":"all","event":"system","data":{data}}}"#);
    let answer = Api::open().post("sse.publish", body(deep(400_000))).await;
    answer.bad_request("the input nests deeper than 64 levels");
    let unlimited = Api::open().limits(|limits| limits.depth = usize::MAX);
    let answer = unlimited.post("sse.publish", body(deep(400_000))).await;
    answer.matched(0);
    let body = format!(r#"{{"event":"e","data":{}}}"#, deep(400_000));
    let answer = unlimited.post("sse.broadcastSystemEvent", body).await;
    answer.matched(0);
    let body = format!(r#"{{"userId":"u","claims":{{"a":{}}}}}"#, deep(5000));
    let answer = unlimited.post("sse.createTicket", body).await;
    let (code, message) = answer.error();
    assert_eq!(code, "BAD_REQUEST");
    assert!(
        message.starts_with("claims") && message.ends_with(": recursion limit exceeded"),
        "{message}"
    );
}

#[tokio::test]
async fn long_quotations_are_cut() {
    let name = "é".repeat(10_000);
    let answer = Api::open().mutate("sse.publish", json!({ name: 1 })).await;
    let (_, message) = answer.error();
    assert!(message.len() < 600 && message.ends_with("é…"), "{message}");
}

#[tokio::test]
async fn no_input_is_an_empty_one() {
    let api = Api::open();
    for input in ["", "null", " \n", "{}", " null "] {
        api.post("sse.disconnect", input.into())
            .await
            .bad_request("missing field `target`");
    }
    assert_eq!(api.query("sse.getStats", Value::Null).await.status, 200);
}
