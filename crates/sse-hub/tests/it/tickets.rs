//! Tickets and other credentials that open one stream.

use serde_json::json;
use sse_testkit::RawRequest;

use crate::{
    hub::{Hub, TIMEOUT, next, until},
    tokens::{BACKEND, SECRET, token},
};

use crate::access::{SHORT, bearer, params, refused, with_jwt};

#[tokio::test]
async fn ticket_opens_one_stream_and_is_not_logged() {
    let hub = Hub::spawn(with_jwt(&["--log", "debug"])).await;
    let ada = [bearer(&token("ada", 600, &json!({})))];
    let (status, answer) = hub.call("createTicket", &ada, json!({})).await;
    let data = &answer["result"]["data"];
    assert_eq!((status, &data["expiresInMs"]), (200, &json!(30_000)));
    let ticket = data["ticket"].as_str().unwrap();
    let query = format!("ticket={ticket}&topics=orders/ada/7");
    assert_eq!(
        hub.ask(
            "POST",
            &format!("/api/trpc/sse.createTicket?{query}"),
            &[("content-type", "application/json".into())],
            "{}"
        )
        .await
        .status,
        401
    );
    let (_stream, hello) = hub.connect(&query, &[]).await.unwrap();
    assert_eq!(hello["userId"], "ada");
    assert_eq!(refused(&hub, &query, &[]).await, 401, "a second time");
    let (_, answer) = hub
        .call(
            "createTicket",
            &[bearer(BACKEND)],
            json!({ "userId": "bob" }),
        )
        .await;
    let query = format!(
        "ticket={}",
        answer["result"]["data"]["ticket"].as_str().unwrap()
    );
    assert_eq!(hub.connect(&query, &[]).await.unwrap().1["userId"], "bob");
    // A subscription sends the ticket in its connection params.
    let (_, answer) = hub.call("createTicket", &ada, json!({})).await;
    let params = params(&json!({ "ticket": answer["result"]["data"]["ticket"] }));
    let path = format!("/api/trpc/sse.events?{params}");
    let mut events = RawRequest::get(hub.address(), &path).open().await.unwrap();
    assert_eq!(
        events.next_event_within(TIMEOUT).await.unwrap().event_type,
        "connected"
    );
    assert!(
        events
            .next_event_within(TIMEOUT)
            .await
            .unwrap()
            .data
            .contains("\"userId\":\"ada\"")
    );
    assert_eq!(
        hub.ask("GET", &path, &[], "").await.status,
        401,
        "a second time"
    );

    // The hub logs requests, but its log can arrive late.
    until(async || hub.0.output().contains("/api/trpc/sse.events")).await;
    let log = hub.0.output();
    assert!(
        !log.contains(ticket)
            && !log.contains(&params)
            && !log.contains(SECRET)
            && !log.contains(BACKEND),
        "{log}"
    );
}

#[tokio::test]
async fn ticket_cannot_make_calls() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let root = [bearer(&token("root", 600, &json!({ "role": "admin" })))];
    let (_, answer) = hub.call("createTicket", &root, json!({})).await;
    let ticket = params(&json!({ "ticket": answer["result"]["data"]["ticket"] }));
    for procedure in [
        "createTicket",
        "broadcastNotification",
        "renew",
        "createTicket,sse.createTicket",
    ] {
        let batch = if procedure.contains(',') {
            "&batch=1"
        } else {
            ""
        };
        let input = json!({ "message": "m", "clientId": "0".repeat(32) });
        let input = if procedure.starts_with("create") {
            json!({})
        } else {
            input
        };
        let (status, answer) = hub
            .call(&format!("{procedure}?{ticket}{batch}"), &[], input)
            .await;
        assert!(
            matches!(status, 400 | 401),
            "{procedure}: {status} {answer}"
        );
    }
    let stats = hub
        .ask("GET", &format!("/api/trpc/sse.getStats?{ticket}"), &[], "")
        .await;
    assert_eq!(stats.status, 401);
    let mut events = RawRequest::get(hub.address(), format!("/api/trpc/sse.events?{ticket}"))
        .open()
        .await
        .unwrap();
    assert_eq!(
        events.next_event_within(TIMEOUT).await.unwrap().event_type,
        "connected"
    );
    assert_eq!(
        events.next_event_within(TIMEOUT).await.unwrap().event_type,
        "message",
        "the ticket is still valid"
    );
}

#[tokio::test]
async fn right_of_an_admin_ends_with_the_token() {
    let hub = Hub::spawn(with_jwt(&["--heartbeat-interval", "500ms"])).await;
    let root = [bearer(&token("root", SHORT, &json!({ "role": "admin" })))];
    let input = json!({ "userId": "x", "claims": { "role": "admin" } });
    let (_, answer) = hub.call("createTicket", &root, input).await;
    let query = format!(
        "ticket={}&topics=anything",
        answer["result"]["data"]["ticket"].as_str().unwrap()
    );
    let (mut stream, _) = hub.connect(&query, &[]).await.unwrap();
    assert_eq!(next(&mut stream).await.1["event"], "auth_expired");
}
