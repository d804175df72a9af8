//! Encoding of a published event in a backplane.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    event::{Event, event_type::EventType},
    id::{
        client_id::ClientId,
        names::{Topic, UserId},
        target::Target,
    },
};

/// Version of the encoding, written as the first byte. Another value marks another encoding.
const VERSION: u8 = 1;

/// First byte of an entry or a signal without an event. A node sends a probe to check whether the
/// backplane accepts requests.
pub(crate) const PROBE: u8 = 0;

/// Identifies a publish. A node recognizes its own entry by it and learns how many streams the
/// publish reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct PublishId {
    pub(crate) node: u64,
    pub(crate) number: u64,
}

/// A published event, its target, and the id of its publish.
///
/// Encoded as the version, a head in [postcard's
/// format](https://postcard.jamesmunns.com/wire-format), and the `data:` lines to the end.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) ticket: PublishId,
    /// Time of the publish, in Unix milliseconds.
    pub(crate) published_at: u64,
    pub(crate) target: Target,
    pub(crate) except: Vec<ClientId>,
    pub(crate) event: Event,
}

/// The bytes are not an envelope, or an envelope of a newer version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum EnvelopeError {
    #[error("envelope has version {0:?} instead of {VERSION}")]
    Version(Option<u8>),
    #[error("envelope is damaged")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeHead<'a> {
    ticket: PublishId,
    published_at: u64,
    #[serde(borrow)]
    target: To<'a>,
    except: Vec<u128>,
    event_type: Option<&'a str>,
    retry_ms: Option<u32>,
    comment: Option<&'a str>,
    collapse_key: Option<&'a str>,
    is_json: bool,
}

#[derive(Serialize, Deserialize)]
enum To<'a> {
    All,
    User(&'a str),
    Topic(&'a str),
    Client(u128),
}

impl Envelope {
    /// Creates an event of this node for every stream, in place of an unreadable entry.
    pub(crate) fn of_own(event: Event) -> Self {
        let ticket = PublishId { node: 0, number: 0 };
        let published_at = crate::clock::unix_ms();
        Self {
            ticket,
            published_at,
            target: Target::All,
            except: Vec::new(),
            event,
        }
    }

    /// Creates an envelope without an event, for an entry that no stream receives.
    pub(crate) fn for_nobody() -> Self {
        Self {
            target: Target::Client(ClientId::of_number(0)),
            ..Self::of_own(Event::empty())
        }
    }

    /// Encodes an event that has no id.
    pub(crate) fn write(
        ticket: PublishId,
        target: &Target,
        except: &[ClientId],
        event: &Event,
    ) -> Bytes {
        let (lines, comment) = event.raw();
        let head = EnvelopeHead {
            ticket,
            published_at: crate::clock::unix_ms(),
            target: match target {
                Target::All => To::All,
                Target::User(user) => To::User(user.as_str()),
                Target::Topic(topic) => To::Topic(topic.as_str()),
                Target::Client(client) => To::Client(client.number()),
            },
            except: except.iter().map(|client| client.number()).collect(),
            event_type: event.event_type().map(EventType::as_str),
            retry_ms: event
                .retry()
                .map(|retry| u32::try_from(retry.as_millis()).unwrap_or(u32::MAX)),
            comment,
            collapse_key: event.collapse_key(),
            is_json: event.is_json(),
        };
        let mut bytes = BytesMut::with_capacity(128 + comment.map_or(0, str::len) + lines.len());
        bytes.put_u8(VERSION);
        // Infallible: the buffer grows, and postcard supports all types of the head.
        let mut bytes = postcard::to_extend(&head, bytes).unwrap_or_default();
        bytes.put_slice(lines);
        bytes.freeze()
    }

    /// Decodes the bytes that a node wrote.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, EnvelopeError> {
        let Some((&VERSION, rest)) = bytes.split_first() else {
            return Err(EnvelopeError::Version(bytes.first().copied()));
        };
        let (head, lines) = postcard::take_from_bytes::<EnvelopeHead<'_>>(rest)
            .map_err(|_| EnvelopeError::Damaged)?;
        head.open(bytes.slice_ref(lines))
            .ok_or(EnvelopeError::Damaged)
    }
}

impl EnvelopeHead<'_> {
    fn open(&self, lines: Bytes) -> Option<Envelope> {
        let mut event = Event::from_raw(lines, self.comment, self.is_json)?;
        if let Some(event_type) = self.event_type {
            event = event.with_event_type(EventType::new(event_type).ok()?);
        }
        if let Some(retry) = self.retry_ms {
            event = event.with_retry(std::time::Duration::from_millis(retry.into()));
        }
        if let Some(key) = self.collapse_key {
            event = event.with_collapse_key(key);
        }
        Some(Envelope {
            ticket: self.ticket,
            published_at: self.published_at,
            target: match self.target {
                To::All => Target::All,
                To::User(user) => Target::User(UserId::new(user).ok()?),
                To::Topic(topic) => Target::Topic(Topic::new(topic).ok()?),
                To::Client(client) => Target::Client(ClientId::of_number(client)),
            },
            except: self
                .except
                .iter()
                .map(|client| ClientId::of_number(*client))
                .collect(),
            event,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const TICKET: PublishId = PublishId {
        node: u64::MAX,
        number: 7,
    };

    fn target() -> impl Strategy<Value = Target> {
        let name = "[a-z/ä]{1,20}";
        prop_oneof![
            Just(Target::All),
            name.prop_map(|name| Target::User(UserId::new(name).expect("the name is valid"))),
            name.prop_map(|name| Target::Topic(Topic::new(name).expect("the name is valid"))),
            any::<u128>().prop_map(|id| Target::Client(ClientId::of_number(id))),
        ]
    }

    fn event() -> impl Strategy<Value = Event> {
        let text = || proptest::option::of(any::<String>());
        (
            text(),
            text(),
            text(),
            proptest::option::of(any::<u32>()),
            proptest::option::of("[a-z.]{1,9}"),
        )
            .prop_map(|(data, comment, key, retry, event_type)| {
                let mut event = data.map_or_else(Event::empty, Event::text);
                event = comment.into_iter().fold(event, Event::with_comment);
                event = key.into_iter().fold(event, Event::with_collapse_key);
                event = retry.into_iter().fold(event, |event, ms| {
                    event.with_retry(Duration::from_millis(ms.into()))
                });
                event_type.into_iter().fold(event, |event, it| {
                    event.with_event_type(EventType::new(it).expect("the event type is valid"))
                })
            })
    }

    proptest! {
        #[test]
        fn written_envelope_reads_back(target in target(), event in event(), except in proptest::collection::vec(any::<u128>(), 0..3)) {
            let except: Vec<_> = except.into_iter().map(ClientId::of_number).collect();
            let read = Envelope::read(&Envelope::write(TICKET, &target, &except, &event)).unwrap();
            prop_assert_eq!((read.ticket, read.target, read.except), (TICKET, target, except));
            prop_assert_eq!(read.event.collapse_key(), event.collapse_key());
            prop_assert_eq!(read.event.is_json(), event.is_json());
            prop_assert_eq!(read.event.encode(), event.encode());
        }

        #[test]
        fn random_bytes_read_as_one_block_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), known in any::<bool>()) {
            if let Some(first) = bytes.first_mut().filter(|_| known) {
                *first = VERSION;
            }
            if let Ok(read) = Envelope::read(&bytes.into()) {
                let encoded = read.event.encode();
                prop_assert!(std::str::from_utf8(&encoded).is_ok() && !encoded.contains(&b'\r'));
            }
        }

        #[test]
        fn changed_envelope_is_an_event_or_an_error(event in event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = Envelope::write(TICKET, &Target::All, &[], &event).to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(read) = Envelope::read(&bytes.into()) {
                prop_assert!(std::str::from_utf8(&read.event.encode()).is_ok());
            }
        }
    }

    #[test]
    fn data_with_lines_of_other_fields_is_rejected() {
        let written = Envelope::write(TICKET, &Target::All, &[], &Event::text("x"));
        let head = written.len() - "data: x\n".len();
        for lines in [
            "data: x",
            "id: 1\n",
            "data: x\nid: 1\n",
            "data: x\n\ndata: y\n",
            "data: x\rid: 1\n",
        ] {
            let forged = [&written[..head], lines.as_bytes()].concat();
            assert_eq!(
                Envelope::read(&forged.into()).unwrap_err(),
                EnvelopeError::Damaged,
                "{lines:?}"
            );
        }
    }
}
