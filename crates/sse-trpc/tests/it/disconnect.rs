//! `disconnect`.

use serde_json::json;
use sse_core::{ConnectErrorKind, Handshake, LoginId};

use crate::api::{Api, quoted, user};

#[tokio::test]
async fn disconnect_ends_the_streams_of_its_target() {
    let api = Api::open();
    let mut ada = api.listen("ada", &["news"]);
    let mut ben = api.listen("ben", &["news"]);
    api.mutate(
        "sse.disconnect",
        json!({ "target": { "client": ada.id() }, "reason": "bye" }),
    )
    .await
    .matched(1);
    let (event_type, data) = ada.event();
    assert_eq!(
        (event_type.as_str(), &data["event"]),
        ("system", &json!("disconnected"))
    );
    assert_eq!(data["data"]["reconnect"], true);
    assert!(data["data"].to_string().contains("bye"), "{data}");
    assert!(ada.has_ended());
    assert_eq!(ben.events(), []);

    api.mutate("sse.disconnect", json!({ "target": { "topic": "news" } }))
        .await
        .matched(1);
    assert_eq!(ben.event().1["event"], "disconnected");
    api.mutate("sse.disconnect", json!({ "target": "all" }))
        .await
        .matched(0);
}

#[tokio::test]
async fn user_can_be_banned() {
    let api = Api::open();
    let mut ada = api.listen("ada", &[]);
    let input = json!({ "target": { "user": "ada" }, "stayAwayMs": 60_000 });
    api.mutate("sse.disconnect", input).await.matched(1);
    assert_eq!(ada.event().1["data"]["reconnect"], false);
    let refused = api
        .manager
        .connect(Handshake::new().user("ada"))
        .unwrap_err();
    assert!(matches!(refused.cause(), ConnectErrorKind::Banned));
    api.listen("ben", &[]);
}

#[tokio::test]
async fn only_a_recognisable_client_can_be_banned() {
    let api = Api::open();
    let mut caller = user("ada");
    caller.login = Some(LoginId::from_bytes([1; 16]));
    let kicked = api
        .manager
        .connect(Handshake::new().caller(caller.clone()))
        .unwrap();
    let mut unknown = api.listen("ada", &[]);

    let ban_for = |client: &str| json!({ "target": { "client": client }, "stayAwayMs": 60_000 });
    let input = ban_for(&unknown.id());
    let problem = "stayAwayMs: the client cannot be recognised when it returns, because it connected without a login";
    api.mutate("sse.disconnect", input)
        .await
        .bad_request(problem);
    assert_eq!(unknown.events(), [], "the streams stay open");

    api.mutate("sse.disconnect", ban_for(&kicked.client_id().to_string()))
        .await
        .matched(1);
    let refused = api
        .manager
        .connect(Handshake::new().caller(caller))
        .unwrap_err();
    assert!(matches!(refused.cause(), ConnectErrorKind::Banned));
    api.listen("ada", &[]);
    drop(kicked);
    api.mutate("sse.disconnect", ban_for(&"0".repeat(32)))
        .await
        .matched(0);
}

#[tokio::test]
async fn fields_are_checked() {
    let api = Api::open();
    let mut ada = api.listen("ada", &["news"]);
    let longest = 20 * 24 * 60 * 60 * 1000_u64;
    for (input, message) in [
        (json!({}), "missing field `target`".to_owned()),
        (
            json!({ "target": { "user": "u".repeat(257) } }),
            format!(
                "target.user: is 257 bytes long, more than 256: {}",
                quoted('u')
            ),
        ),
        (
            json!({ "target": "all", "stayAwayMs": 1 }),
            "stayAwayMs: only a user or a client can be banned".into(),
        ),
        (
            json!({ "target": { "topic": "news" }, "stayAwayMs": 1 }),
            "stayAwayMs: only a user or a client can be banned".into(),
        ),
        (
            json!({ "target": { "user": "ada" }, "stayAwayMs": 0 }),
            format!("stayAwayMs: must be 1 to {longest}, not 0"),
        ),
        (
            json!({ "target": { "user": "ada" }, "stayAwayMs": longest + 1 }),
            format!("stayAwayMs: must be 1 to {longest}, not {}", longest + 1),
        ),
        (
            json!({ "target": "all", "reason": "x".repeat(1025) }),
            format!(
                "reason: is 1025 bytes long, more than 1024: {}",
                quoted('x')
            ),
        ),
        (
            json!({ "target": "all", "reason": 7 }),
            "reason: invalid type: integer `7`, expected a string".into(),
        ),
    ] {
        api.mutate("sse.disconnect", input)
            .await
            .bad_request(&message);
    }
    assert_eq!(ada.events(), []);
    let input =
        json!({ "target": { "user": "ada" }, "stayAwayMs": longest, "reason": "x".repeat(1024) });
    api.mutate("sse.disconnect", input).await.matched(1);
}
