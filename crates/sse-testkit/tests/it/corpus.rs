//! The corpus of streams that other parsers read too; see `corpus/README.md`.

use serde_json::Value;
use sse_testkit::{Decoded, Decoder};

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../../corpus/event-streams.json")).unwrap()
}

fn bytes(piece: &Value) -> Vec<u8> {
    piece
        .as_str()
        .unwrap()
        .chars()
        .map(|byte| u8::try_from(u32::from(byte)).unwrap())
        .collect()
}

fn expected(case: &Value) -> Vec<Decoded> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let events = case["events"].as_array().unwrap().iter();
    events
        .map(|event| Decoded {
            event_type: text(event, "type"),
            data: text(event, "data"),
            id: text(event, "lastEventId"),
        })
        .collect()
}

#[test]
fn the_decoder_agrees() {
    let cases = cases();
    assert!(cases.len() > 80, "{}", cases.len());
    for case in cases {
        let name = &case["name"];
        let mut decoder = Decoder::new();
        let pieces = case["stream"].as_array().unwrap().iter();
        let events: Vec<_> = pieces
            .flat_map(|piece| decoder.feed(&bytes(piece)))
            .collect();
        assert_eq!(events, expected(&case), "{name}");
        assert_eq!(decoder.last_event_id(), case["lastEventId"], "{name}");
        assert_eq!(decoder.retry(), case["retry"].as_u64(), "{name}");
        if let Some(comments) = case["comments"].as_array() {
            let comments: Vec<_> = comments.iter().filter_map(Value::as_str).collect();
            assert_eq!(decoder.comments().collect::<Vec<_>>(), comments, "{name}");
        }
    }
}
