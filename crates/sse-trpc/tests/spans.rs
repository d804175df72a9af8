//! An app's own spans, with the spans of this crate disabled. This test is alone in its process, as
//! `logs.rs` is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use sse_core::{Caller, Manager, access::AllowAll};
use sse_trpc::{Body, Headers, Management, Request};
use tracing::{Instrument as _, info, info_span};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_call_writes_nothing_into_the_spans_of_others() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let management = Management::new(Manager::builder().access(AllowAll).build().unwrap());
    let answered = async {
        for path in ["sse.getStats", "sse.events", "nothing", "%"] {
            let request = Request {
                method: "GET",
                path,
                query: None,
                headers: Headers::default(),
                address: None,
                caller: Ok(Caller::anonymous()),
            };
            management.handle(request, Body::default()).await;
        }
        info!("answered");
    };
    let span = info_span!(
        "request",
        code = tracing::field::Empty,
        elapsed_us = tracing::field::Empty
    );
    answered.instrument(span).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("request: spans: answered"), "{text}");
}
