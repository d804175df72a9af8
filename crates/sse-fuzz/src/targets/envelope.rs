//! Any envelope of a broker is an event that cannot break out of its block, or an error.

use bytes::Bytes;
use sse_core::fuzzing::read_envelope;
use sse_testkit::{Decoder, Item};

pub(crate) fn play(input: &[u8]) {
    let Some((event, written)) = read_envelope(&Bytes::copy_from_slice(input)) else {
        return;
    };
    let (again, _) = read_envelope(&written).expect("a written value is read back");
    assert_eq!(again, event);

    let text = std::str::from_utf8(&event).expect("an event is UTF-8");
    assert!(!text.contains('\r'));
    let is_comment = text.lines().all(|line| line.starts_with(':'));
    let blank_line = if is_comment {
        None
    } else {
        Some(text.len() - 2)
    };
    assert_eq!(text.find("\n\n"), blank_line, "one block: {text:?}");
    let mut decoder = Decoder::new();
    let items = decoder.feed_items(&event);
    assert!(!decoder.is_mid_block());
    assert!(
        items
            .iter()
            .filter(|item| matches!(item, Item::Event(_)))
            .count()
            <= 1,
        "{items:?}"
    );
    assert_eq!(decoder.last_event_id(), "", "an envelope has no id");
}
