//! Readers of event streams from other projects.

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt, stream};
use sse_testkit::{Decoded, Decoder};

/// An event as a reader returns it: type and data, and the last event id if the reader keeps it.
pub(crate) type Read = (String, String);

/// Creates a stream of bytes that are available at once, cut into pieces.
fn pieces(
    bytes: &[u8],
    cut: usize,
) -> impl stream::Stream<Item = Result<Bytes, std::io::Error>> + Unpin {
    let pieces: Vec<_> = bytes
        .chunks(cut.max(1))
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces)
}

/// The reader of this project, written from the standard.
pub(crate) fn testkit(bytes: &[u8], cut: usize) -> Vec<Decoded> {
    let mut decoder = Decoder::new();
    let events = bytes
        .chunks(cut.max(1))
        .flat_map(|piece| decoder.feed(piece))
        .collect();
    assert!(
        !decoder.is_mid_block(),
        "unfinished: {:?}",
        String::from_utf8_lossy(bytes)
    );
    events
}

/// `eventsource-stream`, which keeps the last event id.
pub(crate) fn eventsource_stream(bytes: &[u8], cut: usize) -> Vec<Decoded> {
    let events = eventsource_stream::EventStream::new(pieces(bytes, cut)).collect::<Vec<_>>();
    let events = events.now_or_never().expect("all bytes are available");
    let decoded = events
        .into_iter()
        .map(|event| event.expect("the reader decodes the stream"));
    decoded
        .map(|event| Decoded {
            event_type: event.event,
            data: event.data,
            id: event.id,
        })
        .collect()
}

/// `sse-stream`, which also returns blocks without data; they are left out.
pub(crate) fn sse_stream(bytes: &[u8], cut: usize) -> Vec<Read> {
    let events = sse_stream::SseByteStream::new(pieces(bytes, cut)).collect::<Vec<_>>();
    let events = events.now_or_never().expect("all bytes are available");
    let events = events
        .into_iter()
        .map(|event| event.expect("the reader decodes the stream"));
    events
        .filter_map(|event| Some((type_or_message(event.event), event.data?)))
        .collect()
}

/// `russe`, the reader of actix-web-lab, which dispatches an empty message for an `id` or `event`
/// without data.
pub(crate) fn russe(bytes: &[u8], cut: usize) -> Vec<Read> {
    use tokio_util::codec::Decoder as _;

    let mut decoder = russe::Decoder::default();
    let mut buffer = BytesMut::new();
    let mut read = Vec::new();
    for piece in bytes.chunks(cut.max(1)) {
        buffer.extend_from_slice(piece);
        while let Some(event) = decoder
            .decode(&mut buffer)
            .expect("the reader decodes the stream")
        {
            if let russe::Event::Message(message) = event {
                read.push((
                    type_or_message(message.event.map(String::from)),
                    message.data.to_string(),
                ));
            }
        }
    }
    assert!(buffer.is_empty(), "unread: {buffer:?}");
    read
}

fn type_or_message(event_type: Option<String>) -> String {
    event_type
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "message".to_owned())
}
