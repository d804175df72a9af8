//! Log records of a call.
//!
//! This test is alone in its process. `tracing` caches for all threads whether a subscriber is
//! interested in a call site, and an earlier test could make it cache that no subscriber is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use sse_core::{Caller, Manager, access::AllowAll};
use sse_trpc::{Body, Headers, Management, Request};
use tracing_subscriber::fmt::MakeWriter;

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

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_call_is_logged_without_its_input() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let management = Management::new(Manager::builder().access(AllowAll).build().unwrap());
    let ada = Caller::user(sse_core::UserId::new("ada").unwrap());
    for (method, path, query, body, status) in [
        (
            "POST",
            "sse.sendInfo",
            None,
            r#"{"userId":"ada","message":"secret"}"#,
            200,
        ),
        (
            "POST",
            "sse.sendError",
            None,
            r#"{"userId":"ada","message":"secret","secret":"secret"}"#,
            400,
        ),
        ("GET", "secret", Some("secret=secret"), "secret", 404),
        ("GET", "secret%", Some("secret=secret"), "secret", 400),
        (
            "GET",
            "sse.events",
            Some("input=%7B%22secret%22:1%7D"),
            "",
            200,
        ),
    ] {
        let request = Request {
            method,
            path,
            query,
            headers: Headers::read(|name| {
                (name == "content-type").then_some(b"application/json".as_slice())
            }),
            address: None,
            caller: Ok(ada.clone()),
        };
        assert_eq!(
            management.handle(request, Body::from(body)).await.status,
            status,
            "{path}"
        );
    }

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split_once("trpc").unwrap().1)
        .collect();
    let called = |procedure: &str, code: &str| {
        let start = format!("{{procedure=\"{procedure}\" user_id=\"ada\" ");
        lines.iter().any(|line| {
            let elapsed = if procedure.is_empty() {
                ""
            } else {
                "elapsed_us="
            };
            line.starts_with(&start)
                && line.contains(&format!("code=\"{code}\""))
                && line.contains(elapsed)
        })
    };
    assert!(called("sse.sendInfo", "OK"), "{text}");
    assert!(called("sse.sendError", "BAD_REQUEST"), "{text}");
    assert!(called("", "NOT_FOUND"), "{text}");
    assert!(called("sse.events", "BAD_REQUEST"), "{text}");
    assert!(text.contains(r#"refused code="BAD_REQUEST""#), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
