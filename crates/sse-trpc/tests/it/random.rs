//! Whatever is asked, there is an answer, and it is a sound one.

use std::time::Duration;

use proptest::{collection, prelude::*, sample::select};
use serde_json::{Map, Value, json};
use sse_trpc::{Body, Management, Request};
use tokio::{runtime, time};

use crate::api::{Answer, Api, user};

const NAMES: [&str; 12] = [
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

const FIELDS: [&str; 20] = [
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
    "__proto__",
    "other",
];

#[derive(Debug, Clone)]
struct Question {
    method: String,
    path: String,
    query: Option<String>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    user: Option<&'static str>,
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

fn input() -> impl Strategy<Value = Vec<u8>> {
    let object = collection::btree_map(select(FIELDS.as_slice()), value(), 0..8).prop_map(|map| {
        let map: Map<_, _> = map.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
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
    let path = prop_oneof![8 => select(NAMES.as_slice()).prop_map(String::from), 1 => any::<String>(), 1 => "[%a-f0-9.,]{0,12}"];
    let encoded = input()
        .prop_map(|json| format!("input={}", form_urlencoded::byte_serialize(&json).collect::<String>()));
    let query = prop_oneof![
        2 => Just(None),
        4 => encoded.prop_map(Some),
        1 => any::<String>().prop_map(Some),
        1 => "(&?(input|batch)=[%+a-f0-9{}\"]{0,6}){0,3}".prop_map(Some),
    ];
    let content_type = prop_oneof![
        6 => Just(Some("application/json".to_owned())),
        1 => Just(None),
        1 => any::<String>().prop_map(Some),
    ];
    let body = prop_oneof![9 => input().prop_map(Some), 1 => Just(None)];
    let user = select(vec![None, Some("ada")]);
    (method, path, query, content_type, body, user).prop_map(
        |(method, path, query, content_type, body, user)| Question {
            method,
            path,
            query,
            content_type,
            body,
            user,
        },
    )
}

async fn ask(management: &Management, question: Question) -> Answer {
    let request = Request {
        method: &question.method,
        path: &question.path,
        query: question.query.as_deref(),
        content_type: question.content_type.as_deref(),
        body: question.body.map_or(Body::TooLarge, Body::from),
        caller: question.user.map(user).unwrap_or_default(),
    };
    management.handle(request).await.into()
}

fn check(answer: &Answer) {
    match answer.status {
        200 => assert!(answer.json()["result"].get("data").is_some()),
        204 => assert_eq!(answer.text, ""),
        400 | 404 | 405 | 413 | 415 => assert_ne!(answer.error().1, ""),
        status => panic!("{status}: {}", answer.text),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn everything_has_a_sound_answer(question in question()) {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(async {
            let api = Api::open();
            let _stream = api.listen("ada", &["news"]);
            // Only against hanging.
            time::timeout(Duration::from_secs(60), ask(&api.management, question)).await
        });
        check(&answer.unwrap());
    }
}
