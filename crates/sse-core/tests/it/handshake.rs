//! Any request becomes a handshake without a panic.

use proptest::{collection::vec, prelude::*};
use sse_core::{
    Caller, Config, ConnectErrorKind, Handshake, Manager, Topic, UserId, access::AllowAll,
};

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

/// Lists of topics, and the queries that the browser client writes for them.
const WRITTEN: &str = include_str!("../../../sse-browser/js/test/support/topics.json");

#[derive(serde::Deserialize)]
struct Written {
    topics: Vec<String>,
    query: String,
}

fn topics(handshake: &Handshake) -> Vec<&str> {
    let topics = handshake.requested_topics();
    topics.iter().map(Topic::as_str).collect()
}

/// Writes topics as the documentation says: a topic that does not fit into a list stands alone.
fn query_of(topics: &[String]) -> String {
    let fits = |topic: &String| !topic.contains(',') && topic.trim_matches(' ') == topic;
    if topics.iter().all(fits) {
        return format!("topics={}", encoded(&topics.join(",")));
    }
    let parameters = topics
        .iter()
        .map(|topic| format!("topic={}", encoded(topic)));
    parameters.collect::<Vec<_>>().join("&")
}

fn topic() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a, %+&=\\[\\]é\u{a0}\u{2028}-]{1,5}",
        text().prop_map(|text| text.chars().filter(|it| !it.is_control()).collect()),
    ]
    .prop_filter("a name has a byte", |topic: &String| !topic.is_empty())
}

proptest! {
    #[test]
    fn every_legal_topic_can_be_requested(list in vec(topic(), 0..6)) {
        let query = query_of(&list);
        let handshake = request(&query, None);
        prop_assert_eq!(topics(&handshake), list, "{}", query);
    }
}

#[test]
fn topics_of_the_browser_client_are_read() {
    let written: Vec<Written> = serde_json::from_str(WRITTEN).unwrap();
    for Written {
        topics: sent,
        query,
    } in written
    {
        assert_eq!(topics(&request(&query, None)), sent, "{query}");
    }
}

#[test]
fn topics_are_split_at_commas() {
    let handshake = request("topics=a,+b%20,,c%2Cd&x=y&topics=e&topic=+f,g", None);
    assert_eq!(topics(&handshake), ["a", "b", "c", "d", "e", " f,g"]);
}

#[test]
fn misspelt_parameters_are_rejected_by_name() {
    let manager = Manager::builder().access(AllowAll).build().unwrap();
    for (name, known) in [
        ("topics[]", "topics or topic"),
        ("topics[0]", "topics or topic"),
        ("topics%5B%5D", "topics or topic"),
        ("topic[]", "topics or topic"),
        ("Topics", "topics or topic"),
        ("TOPIC", "topics or topic"),
        ("topics%20", "topics or topic"),
        ("lasteventid", "lastEventId"),
        ("last-event-id", "lastEventId"),
        ("LastEventId", "lastEventId"),
        ("lastEventId[]", "lastEventId"),
    ] {
        let refused = manager
            .connect(request(&format!("topics=a&{name}=b"), None))
            .unwrap_err();
        let name = name
            .replace("%5B", "[")
            .replace("%5D", "]")
            .replace("%20", " ");
        assert_eq!(
            refused.to_string(),
            format!("query parameter {name:?} is unknown, use {known}")
        );
        assert_eq!(refused.response().status, 400);
    }
    for name in [
        "t",
        "_",
        "topical",
        "subtopics",
        "v[]",
        "event",
        "id",
        "[topics]",
        "user",
    ] {
        let handshake = request(&format!("topics=a&{name}=b"), None);
        assert!(manager.connect(handshake).is_ok(), "{name}");
    }
}

#[test]
fn last_event_id_has_one_value() {
    let manager = Manager::builder().build().unwrap();
    for query in [
        "lastEventId=1&lastEventId=2",
        "lastEventId=1&last_event_id=2",
    ] {
        let refused = manager.connect(request(query, None)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "query parameter lastEventId occurs more than once, with different values"
        );
    }
    for query in [
        "lastEventId=1&lastEventId=1",
        "lastEventId=&Last-Event-ID=1",
    ] {
        assert_eq!(request(query, None).last_event_id(), Some("1"), "{query}");
    }
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

/// Every error shows the value, and blames the side that the value came from.
#[test]
fn connect_reports_an_invalid_name_and_its_origin() {
    let mut config = Config::default();
    config.limits.topics = 2;
    (config.limits.topic, config.limits.user) = (256, 256);
    let manager = Manager::builder()
        .access(AllowAll)
        .config(config)
        .build()
        .unwrap();
    let long = "x".repeat(257);
    let too_long = format!("is 257 bytes long, more than 256: \"{}…\"", &long[..64]);
    let caller = Caller::user(UserId::new(&*long).unwrap());
    let causes = [
        (
            request("topics=ok,a%0Ab", None),
            r#"query parameter topics contains '\n' at byte 1: "a\nb""#,
        ),
        (
            request("topic=a%00", None),
            r#"query parameter topic contains '\0' at byte 1: "a\0""#,
        ),
        (request("topic=", None), "query parameter topic is empty"),
        (
            request(&format!("topics={long}"), None),
            &format!("requested topic {too_long}"),
        ),
        (
            Handshake::new().requested_topic("a\tb"),
            r#"requested topic contains '\t' at byte 1: "a\tb""#,
        ),
        (
            Handshake::new().topic("a\nb"),
            r#"topic set by the app contains '\n' at byte 1: "a\nb""#,
        ),
        (
            request("topics=a", None).topic(&long),
            &format!("topic set by the app {too_long}"),
        ),
        (
            Handshake::new().user("a\nb"),
            r#"user contains '\n' at byte 1: "a\nb""#,
        ),
        (Handshake::new().user(""), "user is empty"),
        (
            Handshake::new().user("x".repeat(2000)),
            &too_long
                .replace("is 257", "user is 2000")
                .replace("256", "1024"),
        ),
        (Handshake::new().caller(caller), &format!("user {too_long}")),
        (
            request("topics=a,a", None).topic("b").topic("c"),
            "the stream would have 3 topics, 1 of them requested, more than 2",
        ),
    ];
    let count = causes.len() as u64;
    for (handshake, message) in causes {
        let refused = manager.connect(handshake).unwrap_err();
        assert_eq!(refused.to_string(), message);
        assert_eq!(refused.response().status, 400);
    }
    assert_eq!(manager.stats().counters.refused.get("invalid"), count);
}

#[test]
fn too_many_topics_are_rejected() {
    let manager = Manager::builder().access(AllowAll).build().unwrap();
    let list = |count: usize| {
        (0..count)
            .map(|topic| topic.to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let refused = manager
        .connect(request(&format!("topics={}", list(65)), None))
        .unwrap_err();
    assert_eq!(
        refused.cause(),
        &ConnectErrorKind::TooManyTopics {
            count: 65,
            requested: 65,
            limit: 64
        }
    );
    let twice = format!("topics={0},{0}", list(64));
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
