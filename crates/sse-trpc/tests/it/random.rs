//! Random requests: every request gets a valid response.

use std::time::Duration;

use proptest::{collection, prelude::*, sample::select};
use serde_json::{Map, Value, json};
use sse_trpc::{Body, Content, Headers, Management, PathSeparator, Request, Response, Transformer};
use tokio::{runtime, time};

use crate::api::{Answer, Api, user};

const NAMES: [&str; 15] = [
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
    "sse.join",
    "sse.leave",
    "sse.events",
];

const FIELDS: [&str; 27] = [
    "byUser",
    "limit",
    "cursor",
    "userId",
    "topic",
    "message",
    "title",
    "data",
    "timestamp",
    "type",
    "event",
    "target",
    "except",
    "ephemeral",
    "key",
    "reason",
    "stayAwayMs",
    "direction",
    "clientId",
    "topics",
    "lastEventId",
    "json",
    "meta",
    "0",
    "1",
    "__proto__",
    "other",
];

#[derive(Debug, Clone)]
struct Question {
    method: String,
    path: String,
    query: Option<String>,
    content_type: Option<String>,
    accept: Option<&'static str>,
    body: Option<Vec<u8>>,
    user: Option<&'static str>,
    superjson: bool,
}

fn value() -> impl Strategy<Value = Value> + Clone {
    let likely = select(vec![
        json!("all"),
        json!({ "user": "ada" }),
        json!({ "topic": "news" }),
        json!({ "client": "0".repeat(32) }),
        json!("system"),
        json!("gap"),
        json!("success"),
        json!({ "event": "gap" }),
        json!(["0".repeat(32)]),
        json!(u64::MAX),
        json!(i64::MIN),
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..2000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        likely,
    ];
    leaf.prop_recursive(6, 32, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn input() -> impl Strategy<Value = Vec<u8>> + Clone {
    let object = collection::btree_map(select(FIELDS.as_slice()), value(), 0..8).prop_map(|map| {
        let map: Map<_, _> = map
            .into_iter()
            .map(|(field, value)| (field.to_owned(), value))
            .collect();
        Value::from(map).to_string().into_bytes()
    });
    let cut = (object.clone(), any::<prop::sample::Index>()).prop_map(|(mut json, at)| {
        json.truncate(at.index(json.len()));
        json
    });
    prop_oneof![4 => object, 1 => cut, 1 => collection::vec(any::<u8>(), 0..64), 1 => value().prop_map(|value| value.to_string().into_bytes())]
}

fn question() -> impl Strategy<Value = Question> {
    let method = prop_oneof![8 => select(vec!["GET", "POST"]).prop_map(String::from), 1 => any::<String>(), 1 => Just("HEAD".to_owned())];
    let path = prop_oneof![8 => select(NAMES.as_slice()).prop_map(String::from), 2 => collection::vec(select(NAMES.as_slice()), 1..4).prop_map(|names| names.join(",")), 1 => any::<String>(), 1 => "[%a-f0-9.,]{0,12}"];
    let encoded = input().prop_map(|json| {
        format!(
            "input={}",
            form_urlencoded::byte_serialize(&json).collect::<String>()
        )
    });
    let query = prop_oneof![
        2 => Just(None),
        4 => encoded.clone().prop_map(Some),
        4 => encoded.prop_map(|input| Some(format!("batch=1&{input}"))),
        1 => Just(Some("batch=1".to_owned())),
        1 => value().prop_map(|value| Some(format!("connectionParams={value}&lastEventId=7"))),
        1 => any::<String>().prop_map(Some),
        1 => "(&?(input|batch|connectionParams)=[%+a-f0-9{}\"]{0,6}){0,3}".prop_map(Some),
    ];
    let content_type = prop_oneof![
        6 => Just(Some("application/json".to_owned())),
        1 => Just(None),
        1 => any::<String>().prop_map(Some),
    ];
    let body = prop_oneof![9 => input().prop_map(Some), 1 => Just(None)];
    let user = select(vec![None, Some("ada")]);
    let accept = select(vec![None, Some("application/jsonl"), Some("stream")]);
    (
        method,
        path,
        query,
        content_type,
        body,
        user,
        accept,
        any::<bool>(),
    )
        .prop_map(
            |(method, path, query, content_type, body, user, accept, superjson)| Question {
                method,
                path,
                query,
                content_type,
                accept,
                body,
                user,
                superjson,
            },
        )
}

async fn ask(management: Management, question: Question) -> Response {
    let headers = Headers::read(|name| match name {
        "content-type" => question.content_type.as_deref().map(str::as_bytes),
        "trpc-accept" | "trpc-batch-mode" => question.accept.map(str::as_bytes),
        _ => None,
    });
    let request = Request {
        method: &question.method,
        path: &question.path,
        query: question.query.as_deref(),
        headers,
        caller: Ok(question.user.map(user).unwrap_or_default()),
        address: None,
    };
    // A missing body stands for one that exceeds the limit.
    let body = Body::from(question.body.unwrap_or_else(|| vec![b' '; 2 << 20]));
    let transformer = if question.superjson {
        Transformer::SuperJson
    } else {
        Transformer::Json
    };
    management
        .transformer(transformer)
        .method_override(question.superjson)
        .path_separator(if question.superjson {
            PathSeparator::Tilde
        } else {
            PathSeparator::Dot
        })
        .handle(request, body)
        .await
}

/// Checks the envelope of one call: an output, or an error whose parts agree.
fn check_envelope(envelope: &Value, superjson: bool) {
    if let Some(result) = envelope.get("result") {
        let data = &result["data"];
        assert_eq!(
            superjson,
            data.get("json").is_some() && data.as_object().unwrap().len() == 1,
            "{envelope}"
        );
        return;
    }
    let error = if superjson {
        &envelope["error"]["json"]
    } else {
        &envelope["error"]
    };
    assert!(
        error["code"].as_i64().is_some_and(|code| code < 0),
        "{envelope}"
    );
    assert_ne!(error["message"].as_str(), None, "{envelope}");
    assert!(
        (400..600).contains(&error["data"]["httpStatus"].as_u64().unwrap()),
        "{envelope}"
    );
}

/// Checks a line. Lines are wrapped as a whole.
fn check_line(line: &str, superjson: bool) {
    let line: Value = serde_json::from_str(line).unwrap();
    let line = if superjson { &line["json"] } else { &line };
    match line {
        Value::Object(head) => head
            .values()
            .for_each(|value| check_promise(&value[0][0], &value[1])),
        chunk => {
            assert_eq!(chunk[1], 0, "a call never rejects: {chunk}");
            check_envelope(&chunk[2][0][0], false);
        }
    }
}

fn check_promise(value: &Value, promise: &Value) {
    if promise.is_null() {
        check_envelope(value, false);
    } else {
        assert_eq!(
            (value, &promise[0], &promise[1]),
            (&json!(0), &Value::Null, &json!(0))
        );
    }
}

async fn check(response: Response, question: &Question) {
    match &response.body {
        Content::Events(_) => return assert_eq!(response.status, 200),
        Content::Whole(bytes) if response.status == 204 => return assert_eq!(bytes, ""),
        Content::Whole(_) => {
            assert!([200, 207, 400, 404, 405, 413, 415].contains(&response.status));
        }
        Content::Lines(_) => assert_eq!(response.status, 200),
    }
    let is_lines = matches!(response.body, Content::Lines(_));
    let answer = Answer::of(response).await;
    if answer.header("content-type") == Some("text/event-stream") {
        assert!(
            answer.text.contains("event: serialized-error\n"),
            "{}",
            answer.text
        );
    } else if is_lines && question.accept == Some("application/jsonl") {
        answer
            .text
            .lines()
            .for_each(|line| check_line(line, question.superjson));
    } else {
        let members: Vec<_> = match answer.json() {
            Value::Array(envelopes) => envelopes,
            Value::Object(envelopes) if is_lines => {
                envelopes.into_iter().map(|(_, value)| value).collect()
            }
            envelope => vec![envelope],
        };
        assert!(!members.is_empty());
        members
            .iter()
            .for_each(|envelope| check_envelope(envelope, question.superjson));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn everything_has_a_sound_answer(question in question()) {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let api = Api::open();
            let _stream = api.listen("ada", &["news"]);
            // The timeout is only a guard against hanging.
            let asked = async { check(ask(api.management.clone(), question.clone()).await, &question).await };
            time::timeout(Duration::from_secs(60), asked).await.unwrap();
        });
    }
}
