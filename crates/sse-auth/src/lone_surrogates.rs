//! Escapes of half a surrogate pair in JSON.

/// Returns JSON in which every `\u` escape of half a surrogate pair is `\ufffd`.
///
/// JavaScript writes such an escape for a string that was cut inside a character. It is valid JSON
/// (RFC 8259, section 8.2), but no text in UTF-8. `sse-core` has the same rule for the inputs of
/// calls, so a user has one name in tokens and in calls.
pub(crate) fn replaced(json: &[u8]) -> Vec<u8> {
    let mut json = json.to_vec();
    let mut at = 0;
    while at < json.len() {
        at += match (json[at], code_unit(&json, at)) {
            (b'\\', Some(0xd800..=0xdbff))
                if matches!(code_unit(&json, at + 6), Some(0xdc00..=0xdfff)) =>
            {
                12
            }
            (b'\\', Some(0xd800..=0xdfff)) => {
                json[at + 2..at + 6].copy_from_slice(b"fffd");
                6
            }
            (b'\\', _) => 2,
            _ => 1,
        };
    }
    json
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
    use super::*;

    #[test]
    fn only_halves_of_pairs_are_replaced() {
        for (json, expected) in [
            (r"a\ud83d", r"a\ufffd"),
            (r"\uDE00b", r"\ufffdb"),
            (r"\ude00\ud83d", r"\ufffd\ufffd"),
            (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
            (r"\uD83D\uDE00", r"\uD83D\uDE00"),
            (r"\\ud83d", r"\\ud83d"),
            (r"\\\ud83d", r"\\\ufffd"),
            (r"\u0041\ud83", r"\u0041\ud83"),
            (r"\", r"\"),
        ] {
            assert_eq!(replaced(json.as_bytes()), expected.as_bytes());
        }
    }
}
