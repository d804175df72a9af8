//! The result of a stream does not depend on the boundaries of its pieces.

use proptest::collection::vec;
use proptest::prelude::*;
use sse_testkit::{Decoded, Decoder, Item};

/// Generates streams of bytes that matter to a decoder, and of any bytes.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let fragments: &[&[u8]] = &[
        b"data",
        b"event",
        b"id",
        b"retry",
        b":",
        b" ",
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\0",
        b"7",
        b"x",
        b"data: y\n",
        b"id: z\r",
        b"retry: 12\r\n",
        b"\xEF\xBB\xBF",
        b"\xEF",
        b"\xBB",
        b"\xBF",
        b"\xE2\x82",
        b"\xE2\x82\xAC",
        b"\xFF",
        b":comment\n",
    ];
    let known = prop::sample::select(fragments).prop_map(<[u8]>::to_vec);
    vec(prop_oneof![9 => known, 1 => vec(any::<u8>(), 0..4)], 0..60)
        .prop_map(|parts| parts.concat())
}

/// Returns everything that a decoder reports of a stream in these pieces.
fn said<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Item>, String, Option<u64>, bool) {
    let mut decoder = Decoder::new();
    let items = pieces
        .into_iter()
        .flat_map(|piece| decoder.feed_items(piece))
        .collect();
    (
        items,
        decoder.last_event_id().to_owned(),
        decoder.retry(),
        decoder.is_mid_block(),
    )
}

/// Decodes a whole stream with the standard's algorithm, in its own order: decode, normalise,
/// split, interpret.
fn reference(stream: &[u8]) -> (Vec<Decoded>, String, Option<u64>) {
    let text = String::from_utf8_lossy(stream);
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(&text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let lines = text.rsplit_once('\n').map_or("", |(finished, _)| finished);
    let (mut events, mut last, mut retry) = (Vec::new(), String::new(), None);
    let (mut kind, mut data, mut id) = (String::new(), Vec::new(), String::new());
    let is_any = text.contains('\n');
    for line in lines.split('\n').filter(|_| is_any) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match name {
            _ if line.is_empty() => {
                last.clone_from(&id);
                if !data.is_empty() {
                    let event_type = if kind.is_empty() {
                        "message".to_owned()
                    } else {
                        kind
                    };
                    events.push(Decoded {
                        event_type,
                        data: data.join("\n"),
                        id: last.clone(),
                    });
                }
                (kind, data) = (String::new(), Vec::new());
            }
            "event" => kind = value,
            "data" => data.push(value),
            "id" if !value.contains('\0') => id = value,
            "retry" if !value.is_empty() && value.chars().all(|digit| digit.is_ascii_digit()) => {
                retry = Some(value.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }
    (events, last, retry)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn one_cut_anywhere_makes_no_difference(stream in stream()) {
        let whole = said([stream.as_slice()]);
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            prop_assert_eq!(said([first, second]), whole.clone(), "cut at {}", cut);
        }
    }

    #[test]
    fn pieces_of_any_size_make_no_difference(stream in stream(), size in 1..9_usize) {
        prop_assert_eq!(said(stream.chunks(size)), said([stream.as_slice()]));
    }

    #[test]
    fn the_decoder_agrees_with_the_standard_read_plainly(stream in stream()) {
        let mut decoder = Decoder::new();
        let events = decoder.feed(&stream);
        let (expected, last, retry) = reference(&stream);
        prop_assert_eq!(events, expected);
        prop_assert_eq!((decoder.last_event_id(), decoder.retry()), (last.as_str(), retry));
    }
}
