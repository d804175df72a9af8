//! Byte cases that broke others.

use std::fmt::Write as _;

use serde_json::value::RawValue;
use sse_core::{Event, EventType, event::EventId};

use crate::readers;

fn text(data: &str) -> String {
    String::from_utf8(Event::text(data).encode().to_vec()).unwrap()
}

#[test]
fn texts() {
    assert_eq!(text("a\r\nb"), "data: a\ndata: b\n\n");
    assert_eq!(text("a\rb"), "data: a\ndata: b\n\n");
    assert_eq!(text("a\n"), "data: a\ndata: \n\n");
    assert_eq!(text("\na"), "data: \ndata: a\n\n");
    assert_eq!(text("a\n\r"), "data: a\ndata: \ndata: \n\n");
    assert_eq!(text(""), "data: \n\n");
    assert_eq!(text(" lead"), "data:  lead\n\n");
    assert_eq!(text("\u{feff}x"), "data: \u{feff}x\n\n");
    assert_eq!(text("a\0b"), "data: a\0b\n\n");
    assert_eq!(
        text("a\u{2028}b\u{85}c\u{b}d"),
        "data: a\u{2028}b\u{85}c\u{b}d\n\n"
    );
    assert_eq!(
        text("x\r\revent: forged\r\r"),
        "data: x\ndata: \ndata: event: forged\ndata: \ndata: \n\n"
    );
}

#[test]
fn empty_data_is_dispatched_by_every_reader() {
    let wire = Event::text("").encode();
    let expected = [("message".to_owned(), String::new())];
    assert_eq!(readers::testkit(&wire, 99).len(), 1);
    assert_eq!(readers::eventsource_stream(&wire, 99).len(), 1);
    assert_eq!(readers::sse_stream(&wire, 99), expected);
    assert_eq!(readers::russe(&wire, 99), expected);
}

#[test]
fn comment_or_retry_alone_dispatches_no_event() {
    let comment = Event::empty().with_comment("heartbeat").encode();
    assert_eq!(
        comment, ": heartbeat\n",
        "no blank line: some readers take it for an empty message"
    );
    let retry = Event::empty()
        .with_retry(std::time::Duration::from_secs(1))
        .encode();
    for wire in [comment, retry] {
        assert!(readers::testkit(&wire, 99).is_empty());
        assert!(readers::eventsource_stream(&wire, 99).is_empty());
        assert!(readers::sse_stream(&wire, 99).is_empty());
    }
}

#[test]
fn empty_id_resets_and_missing_id_is_omitted() {
    let with = |id: Option<&str>| {
        let event = Event::text("x");
        match id {
            Some(id) => event.with_id(EventId::new(id).unwrap()).encode(),
            None => event.encode(),
        }
    };
    assert_eq!(with(Some("")), "id: \ndata: x\n\n");
    assert_eq!(
        Event::text("x").with_id(EventId::reset()).encode(),
        with(Some(""))
    );
    assert_eq!(with(None), "data: x\n\n");
    let wire = [with(Some("7")), with(None), with(Some("")), with(None)].concat();
    let ids: Vec<_> = readers::testkit(&wire, 99)
        .into_iter()
        .map(|event| event.id)
        .collect();
    assert_eq!(ids, ["7", "7", "", ""]);
}

#[test]
fn field_order_is_comment_retry_id_event_data() {
    let event = Event::text("x")
        .with_retry(std::time::Duration::from_secs(3))
        .with_event_type(EventType::from_static("t"))
        .with_comment("c")
        .with_id(EventId::from(u64::MAX));
    assert_eq!(
        event.encode(),
        ": c\nretry: 3000\nid: 18446744073709551615\nevent: t\ndata: x\n\n"
    );
}

#[test]
fn raw_json_with_line_breaks_stays_on_one_line() {
    let raw = RawValue::from_string("{\r\n  \"a\":\t[1,\r2,\n3],\n\"b\": \"x\\ny\"\n}".to_owned())
        .unwrap();
    let wire = Event::json(&raw).unwrap().encode();
    assert_eq!(wire, "data: {    \"a\":\t[1, 2, 3], \"b\": \"x\\ny\" }\n\n");
}

#[test]
fn unserializable_data_is_an_error() {
    let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(Event::json(&keys).is_err());
}

#[test]
fn crlf_split_across_two_pieces_is_one_line_end() {
    let mut writer = Event::writer();
    for piece in ["a\r", "", "\nb\r", "c", "\n\r", "\n"] {
        writer.write_str(piece).unwrap();
    }
    assert_eq!(
        writer.finish().unwrap().encode(),
        "data: a\ndata: b\ndata: c\ndata: \ndata: \n\n"
    );
    assert_eq!(Event::writer().finish().unwrap().encode(), "data: \n\n");
}

#[test]
fn empty_event_encodes_to_no_bytes() {
    assert!(Event::empty().encode().is_empty());
    let frame = Event::empty().into_frame();
    assert!(frame.is_empty());
    assert!(
        frame.chunk().is_empty(),
        "`0\\r\\n\\r\\n` would end the body: {:?}",
        frame.chunk()
    );
}
