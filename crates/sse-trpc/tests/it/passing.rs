//! Data that passes through: what arrives on a stream is the text that was sent.

use proptest::{collection::vec, prelude::*, sample::select};
use serde::Deserialize;
use serde_json::value::RawValue;
use sse_core::Handshake;
use sse_trpc::Transformer;
use tokio::runtime;

use crate::{api::Api, listener::Listener};

/// All procedures that carry data of the caller, and their inputs without the data.
const CARRIERS: [(&str, &str); 9] = [
    ("sse.sendSuccess", r#""message":"m","userId":"ada""#),
    ("sse.sendInfo", r#""message":"m","userId":"ada""#),
    ("sse.sendWarning", r#""message":"m","userId":"ada""#),
    ("sse.sendError", r#""message":"m","userId":"ada""#),
    ("sse.sendNotification", r#""message":"m","userId":"ada""#),
    ("sse.broadcastNotification", r#""message":"m""#),
    ("sse.sendSystemEvent", r#""event":"e","userId":"ada""#),
    ("sse.broadcastSystemEvent", r#""event":"e""#),
    ("sse.publish", r#""event":"tick","target":"all""#),
];

#[derive(Deserialize)]
struct WithData<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Texts of JSON values, in spellings that a parser and a writer would change.
fn json() -> impl Strategy<Value = String> + Clone {
    let number = "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        number.prop_map(String::from),
        string(),
        select(vec!["null", "true", "false", "{}", "[]", "1.10", "1e400"]).prop_map(String::from),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..4), space()).prop_map(|(elements, space)| format!(
                "[{space}{}]",
                elements.join(&format!("{space},{space}"))
            )),
            object_of(inner),
        ]
    })
}

fn string() -> impl Strategy<Value = String> + Clone {
    let piece = prop_oneof![
        "[a-c é\u{2028}]{0,3}".prop_map(String::from),
        select(vec![
            r"\u0041",
            r"\u00E9",
            r"\/",
            r"\n",
            r"\\",
            "\\\"",
            r"\ud83d\ude00",
        ])
        .prop_map(String::from),
    ];
    vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn space() -> impl Strategy<Value = String> + Clone {
    select(vec!["", "", " ", "\n", "\r\n\t"]).prop_map(String::from)
}

fn object_of(
    values: impl Strategy<Value = String> + Clone,
) -> impl Strategy<Value = String> + Clone {
    // Few names, so that names repeat.
    let name = select(vec![
        r#""b""#,
        r#""a""#,
        r#""\u0061""#,
        r#""""#,
        r#""event""#,
    ]);
    (vec((name, values), 0..4), space()).prop_map(|(members, space)| {
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, value)| format!("{space}{name}{space}:{space}{value}"))
            .collect();
        format!("{{{}{space}}}", members.join(","))
    })
}

/// Returns the data of the one event that has arrived.
fn arrived(stream: &mut Listener, procedure: &str) -> String {
    let events = stream.events();
    let [event] = events.as_slice() else {
        panic!("{procedure}: {events:?}")
    };
    if procedure == "sse.publish" {
        return event.data.clone();
    }
    let WithData { data } = serde_json::from_str(&event.data).unwrap();
    data.get().to_owned()
}

async fn check(data: &str) {
    for transformer in [Transformer::Json, Transformer::SuperJson] {
        let mut api = Api::open();
        api.management = api.management.transformer(transformer);
        let mut stream = api.listen("ada", &[]);
        for (procedure, fields) in CARRIERS {
            let input = format!("{{{fields},\"data\":{data}}}");
            let input = match transformer {
                Transformer::Json => input,
                // The annotation makes the reader take the input apart.
                Transformer::SuperJson => {
                    let input = input.replacen('{', "{\"ephemeral\":null,", 1);
                    let meta = r#"{"values":{"ephemeral":["undefined"]}}"#;
                    format!(r#"{{"json":{input},"meta":{meta}}}"#)
                }
            };
            let target = format!("{procedure}?batch=1");
            for (target, body) in [
                (procedure, input.clone()),
                (&target, format!("{{\"0\":{input}}}")),
            ] {
                let answer = api.post(target, body).await;
                assert_eq!(answer.status, 200, "{procedure} {data}: {}", answer.text);
                let expected = data.replace(['\r', '\n'], " ");
                assert_eq!(arrived(&mut stream, procedure), expected, "{procedure}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn data_arrives_with_its_own_text(data in object_of(json())) {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(check(&data));
    }
}

#[tokio::test]
async fn data_of_any_kind_arrives_unchanged() {
    let api = Api::open();
    let mut stream = api.listen("ada", &[]);
    for data in [
        "12345678901234567890123",
        "1.10",
        "1e400",
        "null",
        "\"\\u0041\"",
        "[1,2.50]",
    ] {
        for (procedure, fields) in &CARRIERS[6..] {
            let body = format!("{{{fields},\"data\":{data}}}");
            api.post(procedure, body).await.matched(1);
            assert_eq!(arrived(&mut stream, procedure), data, "{procedure}");
        }
    }
}

/// An input of an app's own subscription, which passes on what it received.
#[tokio::test]
async fn rest_of_a_resumed_input_keeps_its_text() {
    let mut api = Api::open();
    let echo = sse_trpc::Procedure::subscription(
        |context: sse_trpc::Context, input: Box<RawValue>| async move {
            let event = sse_core::Event::json(&input).unwrap();
            context.manager().all().publish(event).await?;
            Ok(Handshake::new())
        },
    );
    api.management = api.management.procedure("app.echo", echo);
    let mut stream = api.listen("ada", &[]);
    let input = r#"{"b":1.10,"lastEventId":"7","a":12345678901234567890123,"a":"\u0041"}"#;
    let input: String = form_urlencoded::byte_serialize(input.as_bytes()).collect();
    api.respond("GET", &format!("app.echo?input={input}"), &[], "")
        .await;
    assert_eq!(
        stream.events()[0].data,
        r#"{"b":1.10,"a":12345678901234567890123,"a":"\u0041"}"#
    );
}
