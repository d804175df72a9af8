//! Any request becomes a handshake without a panic.

use proptest::{collection::vec, prelude::*};
use sse_core::{ConnectErrorKind, Handshake, Manager, Topic, access::AllowAll};

use crate::support::text;

fn request(query: &str, header: Option<&[u8]>) -> Handshake {
    Handshake::from_request("GET", Some(query), header)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn any_request_is_accepted_or_rejected_with_400(
        query in text(),
        header in proptest::option::of(vec(any::<u8>(), 0..40)),
    ) {
        let manager = Manager::builder().access(AllowAll).build().unwrap();
        for query in [query.clone(), format!("topics={query}&lastEventId={query}")] {
            let handshake = request(&query, header.as_deref());
            prop_assert!(handshake.last_event_id().is_none_or(|id| !id.is_empty()));
            if let Err(refused) = manager.connect(handshake) {
                prop_assert_eq!(refused.response().status, 400);
            }
        }
    }

    #[test]
    fn last_event_id_comes_from_header_or_query(id in text(), other in text()) {
        prop_assume!(!id.is_empty());
        let header = request(&format!("lastEventId={}", encoded(&other)), Some(id.as_bytes()));
        prop_assert_eq!(header.last_event_id(), Some(id.as_str()));
        for name in ["lastEventId", "last_event_id", "Last-Event-ID"] {
            let query = request(&format!("a=b&{name}={}", encoded(&id)), Some(b""));
            prop_assert_eq!(query.last_event_id(), Some(id.as_str()));
        }
    }
}

#[test]
fn topics_are_split_at_commas() {
    let handshake = request("topics=a,+b%20,,c%2Cd&x=y&topics=e", None);
    let topics: Vec<_> = handshake
        .requested_topics()
        .iter()
        .map(Topic::as_str)
        .collect();
    assert_eq!(topics, ["a", "b", "c", "d", "e"]);
}

#[test]
fn header_that_is_not_utf_8_is_not_an_error() {
    assert_eq!(
        request("", Some(b"a\xff")).last_event_id(),
        Some("a\u{fffd}")
    );
    assert_eq!(
        request("lastEventId=&last_event_id=7", Some(b"")).last_event_id(),
        Some("7")
    );
}

#[test]
fn connect_reports_an_invalid_name() {
    let manager = Manager::builder().access(AllowAll).build().unwrap();
    let causes = [
        request("topics=a%0Ab", None),
        Handshake::new().user("a\0"),
        Handshake::new().user(""),
        Handshake::new().topic("x".repeat(2000)),
        request(&format!("topics={}", "x".repeat(257)), None),
        Handshake::new().user("x".repeat(257)),
        Handshake::new().topic("x".repeat(257)),
    ];
    for handshake in causes {
        let refused = manager.connect(handshake).unwrap_err();
        assert!(
            matches!(refused.cause(), ConnectErrorKind::Invalid { .. }),
            "{refused:?}"
        );
        assert_eq!(refused.response().status, 400);
    }
    assert_eq!(manager.stats().counters.refused.get("invalid"), 7);
}

#[test]
fn too_many_topics_are_rejected() {
    let manager = Manager::builder().access(AllowAll).build().unwrap();
    let topics = |count: usize| {
        (0..count)
            .map(|topic| topic.to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let refused = manager
        .connect(request(&format!("topics={}", topics(65)), None))
        .unwrap_err();
    assert_eq!(
        refused.cause(),
        &ConnectErrorKind::TooManyTopics {
            count: 65,
            limit: 64
        }
    );
    let twice = format!("topics={0},{0}", topics(64));
    assert!(
        manager.connect(request(&twice, None)).is_ok(),
        "a topic counts once"
    );
}

#[test]
fn only_requested_topics_need_access() {
    let manager = Manager::builder().build().unwrap();
    let refused = manager.connect(request("topics=secret", None)).unwrap_err();
    assert!(
        matches!(refused.cause(), ConnectErrorKind::Forbidden(topic) if topic.as_str() == "secret")
    );
    assert_eq!(refused.response().status, 403);
    assert!(manager.connect(Handshake::new().topic("secret")).is_ok());
}

#[test]
fn only_get_opens_a_stream() {
    let manager = Manager::builder().build().unwrap();
    let answer = |method| {
        manager
            .connect(Handshake::from_request(method, None, None))
            .unwrap_err()
            .response()
    };
    let head = answer("HEAD");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(
        head.headers
            .contains(&("content-type", "text/event-stream".into()))
    );
    for method in ["POST", "get", "", "OPTIONS"] {
        let refused = answer(method);
        assert_eq!(refused.status, 405, "{method:?}");
        assert!(refused.headers.contains(&("allow", "GET, HEAD".into())));
    }
    assert_eq!(manager.stats().counters.connected, 0);
}
