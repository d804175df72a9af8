//! Strings that JavaScript cut inside a character, in every string of every procedure.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sse_core::{
    Caller, ConnectErrorKind, Manager, Retention, Target, Topic, UserId, access::AllowAll,
};
use sse_trpc::{Content, Credentials, Error, StreamTicket};

use crate::{api::Api, listener::Listener};

/// JSON spellings of a text, and the text that arrives.
const TEXTS: [(&str, &str); 5] = [
    (r"a\ud83d", "a\u{fffd}"),
    (r"\uDE00b", "\u{fffd}b"),
    (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
    (r"\ud83d\ude00", "\u{1f600}"),
    (r"\\ud83d", r"\ud83d"),
];

/// Inputs of mutations: `$` stands for the text, `#` for the client id of a stream whose user and
/// topic have the text for their name.
const INPUTS: [(&str, &str); 16] = [
    ("sse.sendSuccess", NOTIFICATION),
    ("sse.sendInfo", NOTIFICATION),
    ("sse.sendWarning", NOTIFICATION),
    ("sse.sendError", NOTIFICATION),
    ("sse.sendNotification", NOTIFICATION),
    (
        "sse.broadcastNotification",
        r#"{"message":"$","title":"$","data":{"$":"$"}}"#,
    ),
    (
        "sse.sendSystemEvent",
        r#"{"userId":"$","event":"$","data":{"$":["$"]}}"#,
    ),
    ("sse.broadcastSystemEvent", r#"{"event":"$","data":"$"}"#),
    (
        "sse.publish",
        r#"{"target":{"user":"$"},"event":"$","data":{"$":"$"},"key":"$"}"#,
    ),
    (
        "sse.publish",
        r#"{"target":{"topic":"$"},"event":"$","data":"$"}"#,
    ),
    ("sse.join", r##"{"clientId":"#","topics":["$","other $"]}"##),
    ("sse.leave", r##"{"clientId":"#","topics":["$"]}"##),
    ("sse.renew", r##"{"clientId":"#","token":"$"}"##),
    ("sse.createTicket", r#"{"userId":"$","claims":{"$":"$"}}"#),
    ("sse.disconnect", r#"{"target":{"user":"$"},"reason":"$"}"#),
    ("sse.disconnect", r#"{"target":{"topic":"$"},"reason":"$"}"#),
];

const NOTIFICATION: &str = r#"{"userId":"$","message":"$","title":"$","data":{"$":["$"]}}"#;

/// An authentication whose tokens name a user.
struct NamesInClear;

#[async_trait]
impl Credentials for NamesInClear {
    async fn caller_of(&self, token: &str) -> Result<Caller, ConnectErrorKind> {
        Ok(Caller::user(UserId::new(token).unwrap()))
    }

    fn ticket_for(&self, caller: &Caller) -> Result<StreamTicket, Error> {
        Ok(StreamTicket {
            text: format!("{:?} {:?}", caller.user, caller.claims),
            lifetime: Duration::from_secs(30),
        })
    }
}

fn open(text: &str) -> (Api, Listener) {
    let manager = Manager::builder()
        .access(AllowAll)
        .log(Retention::default())
        .build()
        .unwrap();
    let mut api = Api::of(manager);
    api.management = api.management.credentials(NamesInClear);
    let stream = api.listen(text, &[text]);
    (api, stream)
}

/// Makes a call, and returns its output and the events that it caused, without times and ids.
async fn outcome(procedure: &str, input: &str, spelling: &str, text: &str) -> (Value, Vec<Value>) {
    let (api, mut stream) = open(text);
    let body = input.replace('$', spelling).replace('#', &stream.id());
    let answer = api.post(procedure, body.clone()).await;
    assert_eq!(answer.status, 200, "{procedure} {body}: {}", answer.text);
    let mut output = answer.data();
    output.as_object_mut().unwrap().remove("id");
    let events = stream.events().into_iter().map(|event| {
        let mut data: Value = serde_json::from_str(&event.data).unwrap();
        if let Some(data) = data.as_object_mut() {
            data.remove("timestamp");
        }
        json!([event.event_type, data])
    });
    (output, events.collect())
}

#[tokio::test]
async fn halves_of_pairs_are_the_replacement_character() {
    for (procedure, input) in INPUTS {
        for (spelling, text) in TEXTS {
            let plain = serde_json::to_string(text).unwrap();
            let expected = outcome(procedure, input, plain.trim_matches('"'), text).await;
            let found = outcome(procedure, input, spelling, text).await;
            assert_eq!(found, expected, "{procedure} {input} {spelling}");
            let (output, events) = found;
            if procedure == "sse.createTicket" {
                assert!(
                    output["ticket"]
                        .as_str()
                        .unwrap()
                        .contains(&format!("{text:?}")),
                    "{output}"
                );
            } else {
                assert_eq!(output, json!({ "matched": 1 }), "{procedure} {spelling}");
            }
            if procedure.contains("end") || procedure.contains("roadcast") {
                assert!(
                    events[0].to_string().contains(plain.trim_matches('"')),
                    "{events:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn queries_and_subscriptions_read_the_same_text() {
    for (spelling, text) in TEXTS {
        let (api, _stream) = open(text);
        let encode = |input: &str| -> String {
            form_urlencoded::byte_serialize(input.replace('$', spelling).as_bytes()).collect()
        };
        for input in [r#"{"userId":"$"}"#, r#"{"topic":"$"}"#] {
            let target = format!("sse.getConnections?input={}", encode(input));
            let answer = api.request("GET", &target, None, "").await;
            let items = answer.data()["items"].clone();
            assert_eq!(items.as_array().unwrap().len(), 1, "{input} {spelling}");
        }
        let target = format!("sse.events?input={}", encode(r#"{"topics":["$"]}"#));
        let response = api.respond("GET", &target, &[], "").await;
        assert!(matches!(response.body, Content::Events(_)), "{spelling}");
        let topic = Target::Topic(Topic::new(text).unwrap());
        assert_eq!(api.manager.count(&topic), 2, "{spelling}");
    }
}

/// Raw data is replaced as well, so that every reader's parser accepts it.
#[tokio::test]
async fn passed_data_is_text_for_every_parser() {
    let (api, mut stream) = open("ada");
    for (data, arrived) in [
        (
            r#"{"a":"\ud83d","\uDE00":1.10}"#,
            r#"{"a":"\ufffd","\ufffd":1.10}"#,
        ),
        (
            r#"["\ud83d\ude00","\\ud83d"]"#,
            r#"["\ud83d\ude00","\\ud83d"]"#,
        ),
    ] {
        let body = format!(r#"{{"target":"all","event":"tick","data":{data}}}"#);
        assert_eq!(api.post("sse.publish", body).await.status, 200);
        assert_eq!(stream.events()[0].data, arrived);
    }
}
