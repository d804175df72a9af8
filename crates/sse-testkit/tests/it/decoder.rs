//! The decoder, byte by byte.

use sse_testkit::{Decoded, Decoder, Item};

fn event(event_type: &str, data: &str, id: &str) -> Decoded {
    Decoded {
        event_type: event_type.into(),
        data: data.into(),
        id: id.into(),
    }
}

fn message(data: &str) -> Decoded {
    event("message", data, "")
}

#[test]
fn events_are_what_a_browser_dispatches() {
    let table: &[(&str, &[u8], &[Decoded])] = &[
        ("one line", b"data: a\n\n", &[message("a")]),
        (
            "several lines",
            b"data: a\ndata\ndata: b\n\n",
            &[message("a\n\nb")],
        ),
        (
            "one trailing LF is taken off",
            b"data: a\ndata:\n\n",
            &[message("a\n")],
        ),
        ("empty data is dispatched", b"data\n\n", &[message("")]),
        (
            "so is empty data with a colon",
            b"data:\n\n",
            &[message("")],
        ),
        ("no data is not", b"event: x\nid: 1\n\n", &[]),
        ("two empty data lines", b"data\ndata\n\n", &[message("\n")]),
        ("blank lines alone", b"\n\n\r\n\r\r", &[]),
        ("event", b"event: x\ndata: a\n\n", &[event("x", "a", "")]),
        (
            "empty event is message",
            b"event: x\nevent:\ndata: a\n\n",
            &[message("a")],
        ),
        (
            "the last event field counts",
            b"event: x\nevent: y\ndata: a\n\n",
            &[event("y", "a", "")],
        ),
        (
            "the type is not inherited",
            b"event: x\n\ndata: a\n\n",
            &[message("a")],
        ),
        (
            "comment",
            b":\n: x\n:data: y\ndata: a\n:z\n\n",
            &[message("a")],
        ),
        ("comment and blank line", b": keep-alive\n\n", &[]),
        (
            "one space is taken off",
            b"data:  a \n\n",
            &[message(" a ")],
        ),
        ("no space", b"data:a\n\n", &[message("a")]),
        ("a tab is not", b"data:\ta\n\n", &[message("\ta")]),
        (
            "nor another space",
            "data:\u{a0}a\n\n".as_bytes(),
            &[message("\u{a0}a")],
        ),
        ("the first colon splits", b"data:a:b\n\n", &[message("a:b")]),
        ("a colon as value", b"data::\n\n", &[message(":")]),
        (
            "names are case-sensitive",
            b"Data: a\nDATA: b\ndata: c\n\n",
            &[message("c")],
        ),
        (
            "a space before the name",
            b" data: a\ndata: c\n\n",
            &[message("c")],
        ),
        (
            "a space after the name",
            b"data : a\ndata: c\n\n",
            &[message("c")],
        ),
        (
            "unknown names",
            b"datas: a\nx\ndata: c\n\n",
            &[message("c")],
        ),
        ("unknown names dispatch nothing", b"x: y\n\n", &[]),
        ("NUL in data", b"data: a\0b\n\n", &[message("a\0b")]),
        (
            "NUL in event",
            b"event: a\0b\ndata: c\n\n",
            &[event("a\0b", "c", "")],
        ),
        ("NUL in a name", b"da\0ta: a\ndata: c\n\n", &[message("c")]),
        ("cut before the blank line", b"data: a\n", &[]),
        ("cut in a line", b"data: a\n\ndata: b", &[message("a")]),
        ("nothing", b"", &[]),
    ];
    for (name, stream, expected) in table {
        assert_eq!(Decoder::decode(stream), *expected, "{name}");
    }
}

#[test]
fn lines_end_in_crlf_lf_or_cr() {
    let table: &[(&str, &[u8], &[Decoded])] = &[
        ("CRLF", b"data: a\r\ndata: b\r\n\r\n", &[message("a\nb")]),
        ("CR", b"data: a\rdata: b\r\r", &[message("a\nb")]),
        (
            "mixed",
            b"data: a\rdata: b\ndata: c\r\n\n",
            &[message("a\nb\nc")],
        ),
        (
            "LF CR is two ends",
            b"data: a\n\rdata: b\n\n",
            &[message("a"), message("b")],
        ),
        (
            "CR CR LF is two ends",
            b"data: a\r\r\ndata: b\n\n",
            &[message("a"), message("b")],
        ),
        (
            "CRLF LF is two ends",
            b"data: a\r\n\ndata: b\n\n",
            &[message("a"), message("b")],
        ),
        (
            "a forged field after CR",
            b"data: a\revent: x\n\n",
            &[event("x", "a", "")],
        ),
        (
            "others are not line ends",
            "data: a\u{b}b\u{c}c\u{85}d\u{2028}e\u{2029}f\n\n".as_bytes(),
            &[message("a\u{b}b\u{c}c\u{85}d\u{2028}e\u{2029}f")],
        ),
    ];
    for (name, stream, expected) in table {
        assert_eq!(Decoder::decode(stream), *expected, "{name}");
    }
}

#[test]
fn a_cr_dispatches_at_once_and_swallows_a_later_lf() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.feed(b"data: a\r\n\r"), [message("a")]);
    assert_eq!(decoder.feed(b"\ndata: b\r"), []);
    assert_eq!(decoder.feed(b""), [], "an empty piece changes nothing");
    assert_eq!(decoder.feed(b"\n"), []);
    assert_eq!(decoder.feed(b"\n"), [message("b")]);
}

#[test]
fn exactly_one_byte_order_mark_is_taken_off() {
    let table: &[(&str, &[u8], &[Decoded])] = &[
        ("one", b"\xEF\xBB\xBFdata: a\n\n", &[message("a")]),
        (
            "two make an unknown field",
            b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\ndata: b\n\n",
            &[message("b")],
        ),
        (
            "in a later line",
            b"data: a\n\xEF\xBB\xBFdata: b\n\n",
            &[message("a")],
        ),
        ("after a blank line", b"\n\xEF\xBB\xBFdata: b\n\n", &[]),
        (
            "in a value",
            b"data:\xEF\xBB\xBFa\n\n",
            &[message("\u{feff}a")],
        ),
        (
            "before a blank line",
            b"\xEF\xBB\xBF\ndata: a\n\n",
            &[message("a")],
        ),
        (
            "half of one",
            b"\xEF\xBBdata: a\ndata: b\n\n",
            &[message("b")],
        ),
        (
            "UTF-16 is not detected",
            b"\xFF\xFEdata: a\ndata: b\n\n",
            &[message("b")],
        ),
    ];
    for (name, stream, expected) in table {
        assert_eq!(Decoder::decode(stream), *expected, "{name}");
        let mut decoder = Decoder::new();
        let events: Vec<_> = stream
            .iter()
            .flat_map(|byte| decoder.feed(&[*byte]))
            .collect();
        assert_eq!(events, *expected, "{name}, byte by byte");
    }
}

#[test]
fn invalid_utf8_becomes_replacement_characters() {
    let table: &[(&[u8], &str)] = &[
        (b"\xFF", "\u{fffd}"),
        (b"\xE2\x82", "\u{fffd}"),
        (b"\xE2\x82x", "\u{fffd}x"),
        (b"\xF0\x9F\x98\x80", "\u{1f600}"),
        (b"\xF0\x9F\x98", "\u{fffd}"),
        (b"\xC0\x8A", "\u{fffd}\u{fffd}"),
        (b"\xED\xA0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xE2\x82\xE2\x82\xAC", "\u{fffd}\u{20ac}"),
    ];
    for (bytes, expected) in table {
        let stream = [b"data: ", *bytes, b"\n\n"].concat();
        assert_eq!(Decoder::decode(&stream), [message(expected)], "{bytes:?}");
    }
}

#[test]
fn ids_stay_until_they_are_set_again() {
    let table: &[(&str, &[u8], &[Decoded], &str)] = &[
        (
            "set",
            b"id: 1\ndata: a\n\n",
            &[event("message", "a", "1")],
            "1",
        ),
        (
            "inherited",
            b"id: 1\ndata: a\n\ndata: b\n\n",
            &[event("message", "a", "1"), event("message", "b", "1")],
            "1",
        ),
        ("reset", b"id: 1\n\nid\ndata: a\n\n", &[message("a")], ""),
        (
            "reset with a colon",
            b"id: 1\n\nid:\ndata: a\n\n",
            &[message("a")],
            "",
        ),
        ("id-only block", b"id: 7\n\n", &[], "7"),
        (
            "id-only block, then an event",
            b"id: 7\n\ndata: a\n\n",
            &[event("message", "a", "7")],
            "7",
        ),
        (
            "the last id field counts",
            b"id: 1\nid: 2\ndata: a\n\n",
            &[event("message", "a", "2")],
            "2",
        ),
        (
            "NUL leaves the id before it",
            b"id: 1\nid: 2\0\ndata: a\n\n",
            &[event("message", "a", "1")],
            "1",
        ),
        ("NUL alone", b"id: \0\ndata: a\n\n", &[message("a")], ""),
        (
            "one space is taken off",
            b"id:  1 \ndata: a\n\n",
            &[event("message", "a", " 1 ")],
            " 1 ",
        ),
        (
            "not ASCII",
            "id: ü€\ndata: a\n\n".as_bytes(),
            &[event("message", "a", "ü€")],
            "ü€",
        ),
        (
            "cut off with its block",
            b"id: 1\ndata: a\n\nid: 2\ndata: b\n",
            &[event("message", "a", "1")],
            "1",
        ),
    ];
    for (name, stream, expected, last) in table {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.feed(stream), *expected, "{name}");
        assert_eq!(decoder.last_event_id(), *last, "{name}");
    }
}

#[test]
fn retry_takes_ascii_digits_only() {
    let table: &[(&str, Option<u64>)] = &[
        ("retry: 3000", Some(3000)),
        ("retry:0", Some(0)),
        ("retry: 007", Some(7)),
        ("retry: 99999999999999999999", Some(u64::MAX)),
        ("retry", None),
        ("retry:", None),
        ("retry: +1", None),
        ("retry: -1", None),
        ("retry: 10x", None),
        ("retry: 1.5", None),
        ("retry:  1", None),
        ("retry: 1 ", None),
        ("retry: ٣", None),
        ("Retry: 1", None),
        ("retry: 1\nretry: x", Some(1)),
        ("retry: 1\nretry: 2", Some(2)),
    ];
    for (line, expected) in table {
        let mut decoder = Decoder::new();
        // At the end of its line: the field needs no blank line.
        assert_eq!(decoder.feed(format!("{line}\n").as_bytes()), []);
        assert_eq!(decoder.retry(), *expected, "{line}");
        assert_eq!(decoder.feed(b"\n"), [], "{line} dispatches nothing");
    }
}

#[test]
fn comments_are_seen_as_they_are_and_in_order() {
    let mut decoder = Decoder::new();
    let items = decoder.feed_items(b": a\ndata: x\n:b\n\n:\n");
    let comment = |text: &str| Item::Comment(text.into());
    assert_eq!(
        items,
        [
            comment(" a"),
            comment("b"),
            Item::Event(message("x")),
            comment("")
        ]
    );
    assert_eq!(decoder.comments().collect::<Vec<_>>(), [" a", "b", ""]);
}

#[test]
fn the_latest_comments_are_kept() {
    let mut decoder = Decoder::new();
    for number in 0..2000 {
        decoder.feed(format!(":{number}\n").as_bytes());
    }
    assert_eq!(decoder.comments().count(), 1024);
    assert_eq!(decoder.comments().last(), Some("1999"));
}

#[test]
fn reconnect_drops_partial_block_and_keeps_last_id() {
    let mut decoder = Decoder::new();
    decoder.feed(b"retry: 5\nid: 1\ndata: a\n\nid: 2\nevent: x\ndata: b\ndata: c");
    decoder.reconnect();
    assert_eq!((decoder.last_event_id(), decoder.retry()), ("1", Some(5)));
    let events = decoder.feed(b"\xEF\xBB\xBFdata: d\n\n");
    assert_eq!(
        events,
        [event("message", "d", "1")],
        "with its own byte order mark"
    );
}

#[test]
fn lf_after_a_reconnect_is_its_own_line_end() {
    let mut decoder = Decoder::new();
    decoder.feed(b"data: a\r");
    decoder.reconnect();
    // Were the CR still remembered, the mark would be at the beginning of the first line.
    assert_eq!(decoder.feed(b"\n\xEF\xBB\xBFdata: b\n\n"), []);
}

#[test]
fn partial_block_is_reported() {
    let finished: [&[u8]; 6] = [
        b"",
        b"data: a\n\n",
        b": keep-alive\n",
        b"retry: 1\n",
        b"id: 1\n\n",
        b"x: y\n",
    ];
    for stream in finished {
        let mut decoder = Decoder::new();
        decoder.feed(stream);
        assert!(!decoder.is_mid_block(), "{stream:?}");
    }
    let unfinished: [&[u8]; 5] = [b"d", b"data\n", b"event: x\n", b"id: 1\n", b"data: a\n\n:"];
    for stream in unfinished {
        let mut decoder = Decoder::new();
        decoder.feed(stream);
        assert!(decoder.is_mid_block(), "{stream:?}");
    }
}
