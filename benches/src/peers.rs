//! The encoders of other libraries, each by the shortest path from the caller's data to bytes.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use axum::{
    body::HttpBody as _,
    response::{IntoResponse as _, Sse, sse},
};
use bytes::Bytes;
use bytestring::ByteString;
use futures_util::stream;

const EVENT: &str = "notification";

/// Axum exposes an event's bytes only to a reader of the body, so this returns the poll of a body
/// that never ends.
pub(crate) fn axum(
    mut make: impl FnMut(sse::Event) -> sse::Event + Send + 'static,
) -> impl FnMut() -> Bytes {
    let events =
        stream::repeat_with(move || Ok::<_, Infallible>(make(sse::Event::default().event(EVENT))));
    let mut body = Sse::new(events).into_response().into_body();
    move || {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut body).poll_frame(&mut context) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().expect("events are data"),
            other => panic!("the body does not end or wait: {other:?}"),
        }
    }
}

/// Encodes with actix-web-lab.
pub(crate) fn russe(data: ByteString) -> Bytes {
    let message = russe::Message {
        data,
        event: Some(ByteString::from_static(EVENT)),
        retry: None,
        id: None,
    };
    russe::Event::Message(message)
        .into_bytestring()
        .expect("the fields are valid")
        .into_bytes()
}

/// Encodes with `sse-stream`, which takes owned strings.
pub(crate) fn sse_stream(data: String) -> Bytes {
    sse_stream::Sse::default()
        .event(EVENT)
        .data(data)
        .encode()
        .expect("the fields are valid")
}
