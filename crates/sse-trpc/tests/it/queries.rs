//! `getStats` and `getConnections`.

use serde_json::{Value, json};

use crate::api::Api;

#[tokio::test]
async fn stats_count_streams_and_users() {
    let api = Api::open();
    let _streams = [
        api.listen("ada", &[]),
        api.listen("ada", &[]),
        api.listen("ben", &[]),
    ];
    let _anonymous = api.manager.connect(sse_core::Handshake::new()).unwrap();
    api.mutate("sse.broadcastNotification", json!({ "message": "hello" }))
        .await
        .matched(4);

    let stats = api.request("GET", "sse.getStats", None, "").await.data();
    assert_eq!(stats["totalConnections"], 4);
    assert_eq!(stats["uniqueUsers"], 2);
    assert_eq!(stats["connectionsByUser"], json!({ "ada": 2, "ben": 1 }));
    assert_eq!(stats["ending"], 0);
    assert_eq!(stats["connected"], 4);
    assert_eq!(stats["published"], 1);
    assert_eq!(stats["queued"], 4);
    for counter in ["delivered", "bytes", "dropped", "heartbeats"] {
        assert!(stats[counter].is_u64(), "{counter}");
    }
    assert_eq!(stats["disconnected"]["kicked"], 0);
    assert_eq!(stats["refused"]["full"], 0);
}

#[tokio::test]
async fn stats_list_the_users_with_the_most_streams_first() {
    let api = Api::open();
    let _streams = ["ben", "ada", "ada", "cy"].map(|user| api.listen(user, &[]));
    let stats = api.query("sse.getStats", json!({ "limit": 2 })).await;
    assert_eq!(
        stats.data()["connectionsByUser"],
        json!({ "ada": 2, "ben": 1 })
    );
    assert!(
        stats.text.contains(r#"{"ada":2,"ben":1}"#),
        "{}",
        stats.text
    );
}

#[tokio::test]
async fn stats_leave_users_out_on_request() {
    let api = Api::open();
    let _stream = api.listen("ada", &[]);
    let stats = api
        .query("sse.getStats", json!({ "byUser": false }))
        .await
        .data();
    assert_eq!(stats["uniqueUsers"], 1);
    assert_eq!(stats.get("connectionsByUser"), None);
}

#[tokio::test]
async fn stats_have_a_limit() {
    let api = Api::open().limits(|limits| limits.users = 10);
    assert_eq!(api.query("sse.getStats", Value::Null).await.status, 200);
    assert_eq!(
        api.query("sse.getStats", json!({ "limit": 10 }))
            .await
            .status,
        200
    );
    for limit in [0, 11] {
        let answer = api.query("sse.getStats", json!({ "limit": limit })).await;
        answer.bad_request(&format!("limit: must be 1 to 10, not {limit}"));
    }
}

#[tokio::test]
async fn connections_are_described() {
    let api = Api::open();
    let stream = api.listen("ada", &["news"]);
    let page = api
        .request("GET", "sse.getConnections", None, "")
        .await
        .data();
    let item = &page["items"][0];
    assert_eq!(item["clientId"], stream.id());
    assert_eq!(item["userId"], "ada");
    assert_eq!(item["topics"], json!(["news"]));
    assert!(item["connectedAt"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["nextCursor"], Value::Null);
}

#[tokio::test]
async fn connections_come_in_pages() {
    let api = Api::open();
    let streams: Vec<_> = (0..7).map(|_| api.listen("ada", &[])).collect();
    let mut found = Vec::new();
    let mut input = json!({ "limit": 3, "direction": "forward" });
    for expected in [3, 3, 1] {
        let page = api.query("sse.getConnections", input.clone()).await.data();
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), expected);
        found.extend(
            items
                .iter()
                .map(|item| item["clientId"].as_str().unwrap().to_owned()),
        );
        input["cursor"] = page["nextCursor"].clone();
    }
    assert_eq!(input["cursor"], Value::Null);
    let mut ids: Vec<_> = streams.iter().map(super::listener::Listener::id).collect();
    ids.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, ids);
}

#[tokio::test]
async fn connections_are_filtered() {
    let api = Api::open();
    let (ada, ben) = (
        api.listen("ada", &["news"]),
        api.listen("ben", &["news", "sport"]),
    );
    for (input, expected) in [
        (json!({ "userId": "ada" }), vec![ada.id()]),
        (json!({ "topic": "sport" }), vec![ben.id()]),
        (json!({ "userId": "ada", "topic": "sport" }), vec![]),
        (json!({ "userId": "ada", "topic": "news" }), vec![ada.id()]),
        (json!({ "userId": "nobody" }), vec![]),
    ] {
        let page = api.query("sse.getConnections", input.clone()).await.data();
        let ids: Vec<_> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["clientId"].clone())
            .collect();
        assert_eq!(ids, expected, "{input}");
    }
}

#[tokio::test]
async fn connections_have_a_limit() {
    let api = Api::open().limits(|limits| limits.connections = 20);
    assert_eq!(
        api.query("sse.getConnections", Value::Null).await.status,
        200
    );
    for limit in [0, 21] {
        let answer = api
            .query("sse.getConnections", json!({ "limit": limit }))
            .await;
        answer.bad_request(&format!("limit: must be 1 to 20, not {limit}"));
    }
}

#[tokio::test]
async fn a_page_has_fifty_by_default() {
    let api = Api::open();
    let _streams: Vec<_> = (0..51).map(|_| api.listen("ada", &[])).collect();
    let page = api.query("sse.getConnections", json!({})).await.data();
    assert_eq!(page["items"].as_array().unwrap().len(), 50);
    assert!(page["nextCursor"].is_u64());
}
