//! `decode(encode(e)) == e`, checked with readers of other projects.

use std::{fmt::Write as _, io::Write as _, time::Duration};

use proptest::{collection::vec, prelude::*};
use serde_json::value::RawValue;
use sse_core::{Event, EventType, event::EventId};
use sse_testkit::{Dechunker, Decoded, Decoder};

use crate::{
    readers,
    support::{Parts, id_text, parts, text, type_text},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn wire_has_exactly_the_lines_of_the_event(parts in parts()) {
        let wire = parts.event().encode();
        prop_assert_eq!(String::from_utf8(wire.to_vec()).unwrap(), parts.wire());
    }

    #[test]
    fn every_reader_decodes_the_sent_event(all in vec(parts(), 1..8), cut in 1_usize..40) {
        // A comment alone has no blank line of its own, so it precedes an event that has.
        let wire: Vec<u8> = all.iter().flat_map(|parts| parts.event().encode()).collect();
        let ended: Vec<u8> = [&wire[..], b"data: end\n\n"].concat();
        let mut expected = dispatched(&all);
        expected.push(Decoded {
            event_type: "message".to_owned(),
            data: "end".to_owned(),
            id: expected_id(&all),
        });
        prop_assert_eq!(readers::testkit(&ended, cut), expected.clone());
        prop_assert_eq!(readers::eventsource_stream(&ended, cut), expected.clone());
        let expected: Vec<_> = expected.into_iter().map(|event| (event.event_type, event.data)).collect();
        prop_assert_eq!(readers::sse_stream(&ended, cut), expected);
    }

    #[test]
    fn russe_decodes_the_sent_event(
        all in vec(parts().prop_filter("russe dispatches without data", |parts| parts.data.is_some()), 1..8),
        cut in 1_usize..40,
    ) {
        let wire: Vec<u8> = all.iter().flat_map(|parts| parts.event().encode()).collect();
        let expected: Vec<_> =
            dispatched(&all).into_iter().map(|event| (event.event_type, event.data)).collect();
        prop_assert_eq!(readers::russe(&wire, cut), expected);
    }

    #[test]
    fn comments_and_retry_arrive(parts in parts()) {
        let mut decoder = Decoder::new();
        decoder.feed(&parts.event().encode());
        let comments: Vec<_> = decoder.comments().map(|text| text[1..].to_owned()).collect();
        prop_assert_eq!(comments, parts.comment_lines());
        prop_assert_eq!(decoder.retry(), parts.retry.map(u64::from));
    }

    #[test]
    fn frame_contains_the_event_and_the_chunk(parts in parts()) {
        let wire = parts.event().encode();
        let frame = parts.event().into_frame();
        prop_assert_eq!(frame.event(), wire.clone());
        prop_assert_eq!(frame.as_event(), &wire[..]);
        prop_assert_eq!(frame.len(), wire.len());
        prop_assert_eq!(frame.is_empty(), wire.is_empty());
        let (mut dechunker, mut content) = (Dechunker::new(), Vec::new());
        prop_assert_eq!(dechunker.feed(frame.chunk(), &mut content).unwrap(), frame.chunk().len());
        prop_assert_eq!(&content[..], &wire[..]);
        prop_assert!(!dechunker.is_complete(), "an event never ends the body");
        prop_assert_eq!(dechunker.chunks(), u64::from(!wire.is_empty()));
    }

    #[test]
    fn encoding_into_a_buffer_appends_the_same(parts in parts()) {
        let mut out = b"before".to_vec();
        parts.event().encode_to(&mut out);
        prop_assert_eq!(&out[6..], &parts.event().encode()[..]);
    }

    #[test]
    fn event_data_equals_what_a_client_receives(parts in parts()) {
        let event = parts.event();
        prop_assert_eq!(event.data().map(String::from), parts.normalized_data());
        prop_assert_eq!(event.id().map(EventId::as_str), parts.id.as_deref());
        prop_assert_eq!(event.event_type().map(EventType::as_str), parts.event_type.as_deref());
    }

    #[test]
    fn data_in_pieces_encodes_the_same(text in text(), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let whole = Event::text(&text).encode();
        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let (mut in_bytes, mut in_text) = (Event::writer(), Event::writer());
        for piece in at.windows(2) {
            // `io::Write` can split even a character.
            in_bytes.write_all(&text.as_bytes()[piece[0]..piece[1]]).unwrap();
        }
        at.retain(|at| text.is_char_boundary(*at));
        for piece in at.windows(2) {
            in_text.write_str(&text[piece[0]..piece[1]]).unwrap();
        }
        prop_assert_eq!(in_bytes.finish().unwrap().encode(), whole.clone());
        prop_assert_eq!(in_text.finish().unwrap().encode(), whole);
    }

    #[test]
    fn bytes_are_accepted_only_if_they_are_utf_8(bytes in vec(any::<u8>(), 0..64)) {
        let mut writer = Event::writer();
        writer.write_all(&bytes).unwrap();
        match (writer.finish(), std::str::from_utf8(&bytes)) {
            (Ok(event), Ok(text)) => prop_assert_eq!(event.encode(), Event::text(text).encode()),
            (Err(_), Err(_)) => {}
            (event, text) => prop_assert!(false, "{event:?} from {text:?}"),
        }
    }

    #[test]
    fn json_is_one_line_and_the_same_value(value in json(), pretty in any::<bool>()) {
        let event = if pretty {
            let text = serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n");
            Event::json(&RawValue::from_string(text).unwrap()).unwrap()
        } else {
            Event::json(&value).unwrap()
        };
        let wire = event.encode();
        prop_assert_eq!(wire.iter().filter(|byte| **byte == b'\n').count(), 2);
        let decoded = Decoder::decode(&wire);
        prop_assert_eq!(decoded.len(), 1);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&decoded[0].data).unwrap(), value);
    }

    #[test]
    fn long_head_beyond_the_headroom_comes_first(
        name in type_text(),
        id in id_text(),
        times in 1_usize..80,
        data in text(),
    ) {
        let parts = Parts {
            data: Some(data),
            event_type: Some(name.repeat(times)),
            id: Some(id.repeat(times)),
            retry: Some(u32::MAX),
            comment: Some("c".repeat(times)),
        };
        let wire = parts.wire();
        prop_assert_eq!(&parts.event().encode()[..], wire.as_bytes());
        prop_assert_eq!(&parts.event().into_frame().event()[..], wire.as_bytes());
    }
}

#[test]
fn frames_are_correct_at_every_chunk_size_digit() {
    for length in (0..20)
        .chain(240..270)
        .chain(4080..4110)
        .chain(65_500..65_560)
    {
        let frame = Event::text("x".repeat(length)).into_frame();
        let mut content = Vec::new();
        Dechunker::new().feed(frame.chunk(), &mut content).unwrap();
        assert_eq!(content, frame.as_event(), "{length}");
        assert_eq!(frame.len(), length + 8);
    }
}

#[test]
fn retry_is_whole_milliseconds_and_never_too_large() {
    let retry = |delay| Event::empty().with_retry(delay).encode();
    assert_eq!(retry(Duration::from_micros(1999)), "retry: 1\n\n");
    assert_eq!(retry(Duration::ZERO), "retry: 0\n\n");
    assert_eq!(retry(Duration::MAX), "retry: 4294967295\n\n");
}

fn dispatched(all: &[Parts]) -> Vec<Decoded> {
    let mut id = String::new();
    let mut events = Vec::new();
    for parts in all {
        id = parts.id.clone().unwrap_or(id);
        if let Some(data) = parts.normalized_data() {
            let event_type = parts
                .event_type
                .clone()
                .unwrap_or_else(|| "message".to_owned());
            events.push(Decoded {
                event_type,
                data,
                id: id.clone(),
            });
        }
    }
    events
}

fn expected_id(all: &[Parts]) -> String {
    all.iter()
        .rev()
        .find_map(|parts| parts.id.clone())
        .unwrap_or_default()
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        text().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let list = vec(inner.clone(), 0..4).prop_map(Into::into);
        let map = vec((text(), inner), 0..4).prop_map(|members| members.into_iter().collect());
        prop_oneof![list, map]
    })
}

#[test]
fn comment_can_come_in_parts() {
    let event = Event::empty().with_comment("a").with_comment("b\r\nc\rd\n");
    assert_eq!(event.encode(), ": a\n: b\n: c\n: d\n: \n");
}
