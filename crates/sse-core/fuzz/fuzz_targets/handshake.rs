//! Whatever a request holds is accepted or refused, and never a panic. The same property as in `tests/it/handshake.rs`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sse_core::{Handshake, Manager, Open};

static MANAGER: LazyLock<Manager> =
    LazyLock::new(|| Manager::builder().access(Open).build().expect("the defaults are valid"));

fuzz_target!(|request: (&str, Option<&str>, Option<&[u8]>)| {
    let (method, query, last_event_id) = request;
    let handshake = Handshake::from_request(method, query, last_event_id);
    assert!(handshake.last_event_id().is_none_or(|id| !id.is_empty()));
    match MANAGER.connect(handshake) {
        Ok(session) => drop(session),
        Err(refused) => assert!(matches!(refused.answer().status, 200 | 400 | 405), "{refused}"),
    }
    assert_eq!(MANAGER.stats().total_connections, 0);
});
