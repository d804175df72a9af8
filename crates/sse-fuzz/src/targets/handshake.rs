//! Any request is accepted, or rejected with a known status. `tests/it/handshake.rs` of `sse-core`
//! tests the same property.

use sse_core::{Handshake, Manager, access::AllowAll};

pub(crate) fn play(input: &[u8]) {
    let request = super::value::<(&str, Option<&str>, Option<&[u8]>)>(input);
    let Some((method, query, last_event_id)) = request else {
        return;
    };
    let manager = Manager::builder()
        .access(AllowAll)
        .build()
        .expect("the defaults are valid");
    let handshake = Handshake::from_request(method, query, last_event_id);
    assert!(handshake.last_event_id().is_none_or(|id| !id.is_empty()));
    match manager.connect(handshake) {
        Ok(session) => drop(session),
        Err(refused) => assert!(
            matches!(refused.response().status, 200 | 400 | 405),
            "{refused}"
        ),
    }
    assert_eq!(manager.stats().total_connections, 0);
}
