//! The published payload: one JSON object of a fixed size with the sequence number and the send
//! time of its publish.
//!
//! `{"load":"0000000007-0000000123456789-xxxxxxxxxxxxxxxxxxxxxxxxx"}`: sequence number, nanoseconds
//! of the [`Clock`](crate::driver::clock::Clock), padding. Every JSON encoder writes an object with
//! a single string member in the same way, so a server may parse and re-encode it.

use anyhow::ensure;

const PREFIX: &[u8] = br#"{"load":""#;
const SUFFIX: &[u8] = br#""}"#;
const SEQUENCE_DIGITS: usize = 10;
const SENT_DIGITS: usize = 16;
const SEQUENCE: usize = PREFIX.len();
const SENT: usize = SEQUENCE + SEQUENCE_DIGITS + 1;
const PADDING: usize = SENT + SENT_DIGITS + 1;
const SMALLEST: usize = PADDING + SUFFIX.len();
const LARGEST: usize = 64 * 1024;

/// The publish that a payload belongs to, and its send time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) sequence: u32,
    pub(crate) sent: u64,
}

/// The interpretation of the value of a `data:` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// An event of the server itself, such as a heartbeat.
    Foreign,
    /// A value that starts like a payload, but has another length, padding or digits.
    Damaged,
    Stamp(Stamp),
}

/// The size and shape of the payloads of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload {
    size: usize,
}

impl Payload {
    pub(crate) fn new(size: usize) -> anyhow::Result<Self> {
        ensure!(
            (SMALLEST..=LARGEST).contains(&size),
            "a payload has {SMALLEST} to {LARGEST} bytes, not {size}"
        );
        Ok(Self { size })
    }

    pub(crate) fn size(self) -> usize {
        self.size
    }

    pub(crate) fn encode(self, stamp: Stamp) -> String {
        let Stamp { sequence, sent } = stamp;
        let padding = "x".repeat(self.size - SMALLEST);
        format!(r#"{{"load":"{sequence:010}-{sent:016}-{padding}"}}"#)
    }

    pub(crate) fn read(self, value: &[u8]) -> Reading {
        if !value.starts_with(PREFIX) {
            return Reading::Foreign;
        }
        self.stamp(value).map_or(Reading::Damaged, Reading::Stamp)
    }

    fn stamp(self, value: &[u8]) -> Option<Stamp> {
        let whole = value.len() == self.size && value.ends_with(SUFFIX);
        let padded = whole
            && value[PADDING..self.size - SUFFIX.len()]
                .iter()
                .all(|byte| *byte == b'x');
        if !padded {
            return None;
        }
        let sequence = number(&value[SEQUENCE..SEQUENCE + SEQUENCE_DIGITS])?;
        let sent = number(&value[SENT..SENT + SENT_DIGITS])?;
        Some(Stamp {
            sequence: u32::try_from(sequence).ok()?,
            sent,
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote_in_the_promised_size() {
        for size in [SMALLEST, 64, 1000] {
            let payload = Payload::new(size).unwrap();
            let stamp = Stamp {
                sequence: u32::MAX,
                sent: 9_999_999_999_999_999,
            };
            let text = payload.encode(stamp);
            assert_eq!(text.len(), size);
            assert_eq!(payload.read(text.as_bytes()), Reading::Stamp(stamp));
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
        assert!(Payload::new(SMALLEST - 1).is_err());
    }

    #[test]
    fn tells_damage_from_foreign_data() {
        let payload = Payload::new(64).unwrap();
        let text = payload.encode(Stamp {
            sequence: 3,
            sent: 4,
        });
        assert_eq!(payload.read(br#"{"timestamp":1}"#), Reading::Foreign);
        assert_eq!(payload.read(&text.as_bytes()[..63]), Reading::Damaged);
        assert_eq!(
            payload.read(text.replace("xxx", "xyx").as_bytes()),
            Reading::Damaged
        );
        assert_eq!(
            payload.read(text.replace("0003-", "00a3-").as_bytes()),
            Reading::Damaged
        );
    }
}
