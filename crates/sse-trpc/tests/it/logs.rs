//! What is logged of a call.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::api::Api;

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
    let guard = tracing::subscriber::set_default(subscriber);
    let api = Api::open();
    api.mutate("sse.sendInfo", json!({ "userId": "ada", "message": "secret" })).await.matched(0);
    api.mutate("sse.sendError", json!({ "userId": "ada", "message": "secret", "secret": "secret" }))
        .await
        .error();
    api.request("GET", "secret?secret=secret", None, "secret").await.error();
    drop(guard);

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains(r#"procedure="sse.sendInfo" code="OK""#), "{text}");
    assert!(text.contains(r#"procedure="sse.sendError" code="BAD_REQUEST""#), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
