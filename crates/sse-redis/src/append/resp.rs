//! Boundaries between replies (RESP2).

use redis::{RedisError, Value};

use crate::reply::unexpected;

/// Returns the length of the first reply, or `None` if the reply is not complete.
///
/// The driver's parser does not return the number of bytes that it consumed. The meaning of a reply
/// is left to the driver.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, RedisError> {
    let (mut at, mut values) = (0_usize, 1_usize);
    let wrong = || unexpected("not a reply in the Redis protocol");
    while values > 0 {
        let Some((line, rest)) = bytes.get(at..).and_then(split_line) else {
            return Ok(None);
        };
        let line = line.strip_suffix(b"\r").ok_or_else(wrong)?;
        at = bytes.len() - rest.len();
        values -= 1;
        let size = |digits: &[u8]| match std::str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok())
        {
            Some(size @ 0_u32..) => usize::try_from(size).map_err(|_| wrong()),
            None => Err(wrong()),
        };
        match line {
            // Nothing follows the line.
            b"$-1" | b"*-1" | [b'+' | b'-' | b':', ..] => {}
            [b'$', digits @ ..] => at = at.checked_add(size(digits)? + 2).ok_or_else(wrong)?,
            [b'*', digits @ ..] => values = values.checked_add(size(digits)?).ok_or_else(wrong)?,
            _ => return Err(wrong()),
        }
    }
    Ok((at <= bytes.len()).then_some(at))
}

/// Parses a complete reply.
pub(crate) fn value(frame: &[u8]) -> Result<Value, RedisError> {
    match (frame, split_line(frame)) {
        // The id of an entry: every append has one, so this case is handled without the driver.
        ([b'$', b'0'..=b'9', ..], Some((_, [text @ .., b'\r', b'\n']))) => {
            Ok(Value::BulkString(text.to_vec()))
        }
        _ => redis::parse_redis_value(frame),
    }
}

/// Splits at the first line feed.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Replies as Redis writes them.
    fn answer() -> impl Strategy<Value = Vec<u8>> {
        let text = "[a-z0-9 ]{0,20}";
        let leaf = prop_oneof![
            text.prop_map(|text| format!("+{text}\r\n").into_bytes()),
            text.prop_map(|text| format!("-ERR {text}\r\n").into_bytes()),
            any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
            vec(any::<u8>(), 0..40).prop_map(|bytes| bulk(&bytes)),
            Just(b"$-1\r\n".to_vec()),
            Just(b"*-1\r\n".to_vec()),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            vec(inner, 0..6).prop_map(|parts| {
                let head = format!("*{}\r\n", parts.len()).into_bytes();
                parts
                    .into_iter()
                    .fold(head, |all, part| [all, part].concat())
            })
        })
    }

    fn bulk(bytes: &[u8]) -> Vec<u8> {
        [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
    }

    proptest! {
        #[test]
        fn reply_length_and_value_match_driver(
            first in answer(),
            next in answer(),
        ) {
            let both = [&first[..], &next[..]].concat();
            prop_assert_eq!(length(&both).unwrap(), Some(first.len()));
            prop_assert_eq!(value(&first).unwrap(), redis::parse_redis_value(&first).unwrap());
            for end in 0..first.len() {
                prop_assert_eq!(length(&first[..end]).unwrap(), None);
            }
        }

        #[test]
        fn any_bytes_parse_without_panic(bytes in vec(any::<u8>(), 0..60)) {
            if let Ok(Some(length)) = length(&bytes) {
                prop_assert!(length <= bytes.len());
                drop(value(&bytes[..length]));
            }
        }

        #[test]
        fn reply_like_bytes_parse_without_panic(text in "[$*:+0-9\\-\r\n]{0,40}") {
            if let Ok(Some(length)) = length(text.as_bytes()) {
                prop_assert!(length <= text.len());
                drop(value(&text.as_bytes()[..length]));
            }
        }
    }

    #[test]
    fn invalid_reply_is_rejected() {
        for text in [
            "\r\n",
            "x\r\n",
            "$\r\n",
            "$-2\r\n",
            "*x\r\n",
            "$99999999999\r\n",
            ":1\n",
            "%1\r\n",
        ] {
            assert!(length(text.as_bytes()).is_err(), "{text:?}");
        }
        let endless = format!("*{0}\r\n", u32::MAX).repeat(4);
        assert_eq!(length(endless.as_bytes()).unwrap(), None);
    }
}
