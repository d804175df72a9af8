//! A reader receives exactly the parts of any event. `tests/it/encoding.rs` of `sse-core` tests the
//! same properties.

use std::{io::Write, time::Duration};

use arbitrary::Arbitrary;
use sse_core::{Event, EventType, event::EventId};
use sse_testkit::{Dechunker, Decoded, Decoder};

#[derive(Debug, Arbitrary)]
struct Parts<'a> {
    /// Pieces that are written one after the other.
    data: Vec<&'a [u8]>,
    event_type: Option<&'a str>,
    id: Option<&'a str>,
    retry: Option<u32>,
    comment: Option<&'a str>,
}

pub(crate) fn play(input: &[u8]) {
    let Some(parts) = super::value::<Parts<'_>>(input) else {
        return;
    };
    let whole = parts.data.concat();
    let mut writer = Event::writer();
    for piece in &parts.data {
        writer.write_all(piece).expect("memory takes everything");
    }
    let Ok(text) = std::str::from_utf8(&whole) else {
        assert!(writer.finish().is_err(), "only UTF-8 becomes an event");
        return;
    };
    let mut event = writer.finish().expect("a UTF-8 event");
    assert_eq!(
        event.clone().encode(),
        Event::text(text).encode(),
        "pieces make no difference"
    );

    let event_type = parts.event_type.and_then(|name| EventType::new(name).ok());
    if let Some(event_type) = &event_type {
        event = event.with_event_type(event_type.clone());
    }
    let id = parts.id.and_then(|id| EventId::new(id).ok());
    if let Some(id) = &id {
        event = event.with_id(id.clone());
    }
    if let Some(retry) = parts.retry {
        event = event.with_retry(Duration::from_millis(retry.into()));
    }
    if let Some(comment) = parts.comment {
        event = event.with_comment(comment);
    }

    let frame = event.into_frame();
    let mut content = Vec::new();
    let mut dechunker = Dechunker::new();
    assert_eq!(
        dechunker
            .feed(frame.chunk(), &mut content)
            .expect("a chunk"),
        frame.chunk().len()
    );
    assert!(!dechunker.is_complete());
    assert_eq!(content, frame.as_event());

    let mut decoder = Decoder::new();
    let expected = Decoded {
        event_type: event_type.map_or_else(|| "message".to_owned(), |name| name.to_string()),
        data: text.replace("\r\n", "\n").replace('\r', "\n"),
        id: id.map_or_else(String::new, |id| id.to_string()),
    };
    assert_eq!(decoder.feed(&content), [expected]);
    assert!(!decoder.is_mid_block());
    assert_eq!(decoder.retry(), parts.retry.map(u64::from));
}
