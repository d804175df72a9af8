//! Escapes of half a surrogate pair in JSON.

use memchr::memchr;

/// Replaces every `\u` escape of half a surrogate pair with `\ufffd`, in place.
///
/// JavaScript strings are UTF-16, so a string that was cut inside a character ends with half a
/// pair, and `JSON.stringify` writes this half as an escape. The escape is valid JSON (RFC 8259,
/// section 8.2), but denotes no text in UTF-8, and many parsers reject it. JavaScript makes the
/// same replacement when it encodes a string as UTF-8.
///
/// ```
/// use sse_core::event::replace_lone_surrogates;
///
/// let mut json = br#"{"message":"Great news \ud83d"}"#.to_vec();
/// replace_lone_surrogates(&mut json);
/// assert_eq!(json, br#"{"message":"Great news \ufffd"}"#);
/// ```
pub fn replace_lone_surrogates(json: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = json.get(from..).and_then(|rest| memchr(b'\\', rest)) {
        from = replace_at(json, from + at);
    }
}

/// Replaces the escape at an offset if it is half a surrogate pair. Returns the offset after the
/// escape.
pub(crate) fn replace_at(json: &mut [u8], at: usize) -> usize {
    match code_unit(json, at) {
        None => at + 2,
        Some(0xd800..=0xdbff) if matches!(code_unit(json, at + 6), Some(0xdc00..=0xdfff)) => {
            at + 12
        }
        Some(0xd800..=0xdfff) => {
            json[at + 2..at + 6].copy_from_slice(b"fffd");
            at + 6
        }
        Some(_) => at + 6,
    }
}

/// Returns the code unit that a `\u` escape at an offset denotes.
fn code_unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn replaced(json: &str) -> String {
        let mut json = json.as_bytes().to_vec();
        replace_lone_surrogates(&mut json);
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn only_halves_of_pairs_are_replaced() {
        for (json, expected) in [
            (r"\ud83d", r"\ufffd"),
            (r"\uDE00", r"\ufffd"),
            (r"\ude00\ud83d", r"\ufffd\ufffd"),
            (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
            (r"\uD83D\uDE00", r"\uD83D\uDE00"),
            (r"\ud83d\n\ude00", r"\ufffd\n\ufffd"),
            (r"\\ud83d", r"\\ud83d"),
            (r"\\\ud83d", r"\\\ufffd"),
            (r"\ud83d\\ude00", r"\ufffd\\ude00"),
            (r"\ud7ff\ue000\u0041", r"\ud7ff\ue000\u0041"),
            // Invalid JSON stays invalid.
            (r"\ud83", r"\ud83"),
            (r"\ud8ug", r"\ud8ug"),
            (r"\", r"\"),
        ] {
            assert_eq!(replaced(json), expected);
        }
    }

    proptest! {
        /// The reference decodes the code units as JavaScript does.
        #[test]
        fn text_is_that_of_a_lossy_utf_16_decoder(
            units in vec(select(vec![0x41, 0x5c, 0x22, 0xd83d, 0xde00, 0xdbff, 0xdc00, 0xfffd_u16]), 0..12),
        ) {
            let escape = |unit: &u16| match *unit {
                0x41 => "A".to_owned(),
                0x5c => r"\\".to_owned(),
                0x22 => "\\\"".to_owned(),
                unit => format!(r"\u{unit:04x}"),
            };
            let json = format!("\"{}\"", units.iter().map(escape).collect::<String>());
            let text: String = serde_json::from_str(&replaced(&json)).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }
}
