//! The decoder and independent readers agree on well-formed streams.

use std::convert::Infallible;
use std::io::Cursor;

use eventsource_stream::Eventsource;
use futures_util::{StreamExt, TryStreamExt, stream};
use proptest::collection::vec;
use proptest::prelude::*;
use sse_stream::SseByteStream;
use sse_testkit::{Decoded, Decoder};
use tokio::runtime::Runtime;

/// Generates a block as servers write it: LF or CRLF, one space after the colon, every id ASCII.
fn block() -> impl Strategy<Value = String> {
    let field = |name: &'static str, value: &'static str| {
        prop::option::of(value.prop_map(move |value| format!("{name}: {value}\n")))
            .prop_map(Option::unwrap_or_default)
    };
    let data = vec("[^\r\n\u{feff}]{0,12}", 1..4).prop_map(|lines| {
        lines
            .iter()
            .map(|line| format!("data: {line}\n"))
            .collect::<String>()
    });
    let comment = prop_oneof![Just(""), Just(": keep-alive\n"), Just(":\n\n")];
    (
        comment,
        field("retry", "[0-9]{1,6}"),
        field("id", "[!-~]{1,8}"),
        field("event", "[a-z]{1,8}"),
        data,
    )
        .prop_map(|(comment, retry, id, event, data)| {
            format!("{comment}{retry}{id}{event}{data}\n")
        })
}

fn stream_text() -> impl Strategy<Value = String> {
    (vec(block(), 0..8), any::<bool>()).prop_map(|(blocks, crlf)| {
        let text = blocks.concat();
        if crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        }
    })
}

async fn by_eventsource_stream(pieces: &[&[u8]]) -> Vec<Decoded> {
    let input = stream::iter(pieces.iter().copied().map(Ok::<_, Infallible>));
    let events: Vec<_> = input.eventsource().try_collect().await.unwrap();
    let decoded = |event: eventsource_stream::Event| Decoded {
        event_type: event.event,
        data: event.data,
        id: event.id,
    };
    events.into_iter().map(decoded).collect()
}

/// Decodes with `sse-stream`, which returns raw blocks: the browser's processing of them is done
/// here.
async fn by_sse_stream(pieces: &[&[u8]]) -> Vec<Decoded> {
    let input = stream::iter(
        pieces
            .iter()
            .map(|piece| Ok::<_, Infallible>(Cursor::new(piece.to_vec()))),
    );
    let mut last = String::new();
    let mut events = Vec::new();
    for block in SseByteStream::new(input).collect::<Vec<_>>().await {
        let block = block.unwrap();
        last = block.id.unwrap_or(last);
        if let Some(data) = block.data {
            let event_type = block.event.unwrap_or_else(|| "message".into());
            events.push(Decoded {
                event_type,
                data,
                id: last.clone(),
            });
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn three_readers_agree(text in stream_text(), size in 1..40_usize) {
        let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
        let ours = Decoder::decode(text.as_bytes());
        let runtime = Runtime::new().unwrap();
        prop_assert_eq!(&runtime.block_on(by_eventsource_stream(&pieces)), &ours);
        prop_assert_eq!(&runtime.block_on(by_sse_stream(&pieces)), &ours);
    }
}

#[test]
fn the_comparison_compares_something() {
    let text = b"id: 1\nevent: x\ndata: a\ndata: b\n\n: c\n\ndata: d\n\n";
    let runtime = Runtime::new().unwrap();
    let ours = Decoder::decode(text);
    assert_eq!(ours.len(), 2);
    assert_eq!(runtime.block_on(by_eventsource_stream(&[text])), ours);
    assert_eq!(runtime.block_on(by_sse_stream(&[text])), ours);
}
