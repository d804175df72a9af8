//! `join` and `leave`.

use serde_json::json;
use sse_core::{
    Caller, Event, Manager, Target, Topic,
    access::{Access, OwnEventsOnly},
};

use crate::api::{Api, quoted, user};

/// Users may join rooms.
struct Rooms;

impl Access for Rooms {
    fn may_join(&self, _: &Caller, topic: &Topic) -> bool {
        topic.as_str().starts_with("rooms/")
    }

    fn may_publish(&self, _: &Caller, _: &Target) -> bool {
        false
    }

    fn may_manage(&self, _: &Caller) -> bool {
        false
    }
}

async fn matched_by(api: &Api, topic: &str) -> usize {
    api.manager
        .topic(topic)
        .publish(Event::text("x"))
        .await
        .unwrap()
        .matched
}

#[tokio::test]
async fn managers_change_any_stream() {
    let api = Api::open();
    let stream = api.listen("ada", &["a"]);
    api.mutate(
        "sse.join",
        json!({ "clientId": stream.id(), "topics": ["a", "b"] }),
    )
    .await
    .matched(1);
    assert_eq!(
        (matched_by(&api, "a").await, matched_by(&api, "b").await),
        (1, 1)
    );
    api.mutate(
        "sse.leave",
        json!({ "clientId": stream.id(), "topics": ["a", "c"] }),
    )
    .await
    .matched(1);
    assert_eq!(
        (matched_by(&api, "a").await, matched_by(&api, "b").await),
        (0, 1)
    );
    let ended = stream.id();
    drop(stream);
    api.mutate("sse.join", json!({ "clientId": ended, "topics": ["a"] }))
        .await
        .matched(0);
    api.mutate("sse.leave", json!({ "clientId": ended, "topics": ["a"] }))
        .await
        .matched(0);
}

#[tokio::test]
async fn users_change_their_own_streams_within_their_rights() {
    let api = Api::with_access(Rooms).user("ada");
    let (own, other) = (api.listen("ada", &[]), api.listen("bob", &[]));
    api.mutate(
        "sse.join",
        json!({ "clientId": own.id(), "topics": ["rooms/1"] }),
    )
    .await
    .matched(1);
    assert_eq!(matched_by(&api, "rooms/1").await, 1);
    let answer = api
        .mutate(
            "sse.join",
            json!({ "clientId": own.id(), "topics": ["rooms/2", "news"] }),
        )
        .await;
    answer.refused(403, "FORBIDDEN", "topics: \"news\" is not for this caller");
    assert_eq!(
        matched_by(&api, "rooms/2").await,
        0,
        "one topic of a refused call was joined"
    );
    api.mutate(
        "sse.leave",
        json!({ "clientId": own.id(), "topics": ["rooms/1"] }),
    )
    .await
    .matched(1);
    let unknown = "0".repeat(32);
    for procedure in ["sse.join", "sse.leave"] {
        for id in [&other.id(), &unknown] {
            let answer = api
                .mutate(procedure, json!({ "clientId": id, "topics": ["rooms/1"] }))
                .await;
            answer.refused(403, "FORBIDDEN", "this caller may not manage streams");
        }
    }
}

#[tokio::test]
async fn the_anonymous_have_no_streams_of_their_own() {
    let api = Api::with_access(OwnEventsOnly);
    let session = api.manager.connect(sse_core::Handshake::new()).unwrap();
    let id = session.client_id().to_string();
    let answer = api
        .mutate("sse.join", json!({ "clientId": id, "topics": ["a"] }))
        .await;
    answer.refused(
        401,
        "UNAUTHORIZED",
        "anonymous callers may not manage streams",
    );
}

#[tokio::test]
async fn topics_are_checked() {
    let mut config = sse_core::Config::default();
    config.limits.topics = 2;
    let manager = Manager::builder()
        .access(sse_core::access::AllowAll)
        .config(config)
        .build()
        .unwrap();
    let api = Api::of(manager).caller(user("ada"));
    let stream = api.listen("ada", &["a"]);
    let join = |topics| {
        api.mutate(
            "sse.join",
            json!({ "clientId": stream.id(), "topics": topics }),
        )
    };
    join(json!(["b", "c"]))
        .await
        .bad_request("topics: the stream would be in 3, more than 2");
    join(json!(["b", "c", "d"]))
        .await
        .bad_request("topics: has 3 topics, more than 2");
    join(json!(["b", ""]))
        .await
        .bad_request("topics[1]: is empty");
    join(json!(["b", "x".repeat(300)]))
        .await
        .bad_request(&format!(
            "topics[1]: is 300 bytes long, more than 256: {}",
            quoted('x')
        ));
    join(json!("b"))
        .await
        .bad_request("topics: invalid type: string \"b\", expected a sequence");
    assert_eq!(matched_by(&api, "b").await, 0);
    join(json!(["a", "b"])).await.matched(1);
}
