//! The management API of several hubs: a request to any hub covers all of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    access::{Header, bearer, with_jwt},
    brokers::{Broker, Kind},
    hub::{Hub, TIMEOUT, until},
    nodes::{becomes, expect_system},
    tokens::{BACKEND, token},
};

/// Repeats a query until its output meets a condition. Returns the output.
async fn becomes_so(
    hub: &Hub,
    headers: &[Header<'_>],
    path: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let found = std::cell::RefCell::new(Value::Null);
    until(async || {
        let answer = hub
            .ask("GET", &format!("/api/trpc/{path}"), headers, "")
            .await;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let data = answer["result"]["data"].clone();
        let done = is_so(&data);
        found.replace(data);
        done
    })
    .await;
    found.into_inner()
}

async fn one_management_for_all(kind: Kind) {
    let Some(broker) = Broker::started(kind).await else {
        return;
    };
    let start = async |name: &str| {
        let mut command = with_jwt(&["--backplane", &broker.url(), "--node-name", name]);
        command.arg("--heartbeat-interval=1s");
        let hub = Hub::spawn(command).await;
        becomes(&hub, 200).await;
        hub
    };
    let (one, two) = (start("one").await, start("two").await);
    let backend = [bearer(BACKEND)];
    let browser = |sid: &str| [bearer(&token("ada", 600, &json!({ "sid": sid })))];
    let (_here, _) = one.connect("", &browser("phone")).await.unwrap();
    let (mut there, hello) = two.connect("", &browser("laptop")).await.unwrap();

    // Names come with the leases, a while after the numbers.
    let names = |stats: &Value| {
        let nodes = stats["nodes"].as_array().into_iter().flatten();
        nodes
            .filter_map(|node| node["name"].as_str().map(str::to_owned))
            .collect::<BTreeSet<_>>()
    };
    let both = BTreeSet::from(["one", "two"].map(str::to_owned));
    let is_known = |stats: &Value| stats["totalConnections"] == 2 && names(stats) == both;
    let stats = becomes_so(&one, &backend, "sse.getStats", is_known).await;
    assert_eq!(
        (&stats["uniqueUsers"], stats.get("incomplete")),
        (&json!(1), None),
        "{stats}"
    );
    let text = one.ask("GET", "/metrics", &backend, "").await;
    let text = text.text().unwrap();
    assert!(
        text.contains("\nsse_cluster_streams 2\n") && text.contains("\nsse_cluster_nodes 2\n"),
        "{text}"
    );

    let listed = becomes_so(&one, &backend, "sse.getConnections", |page| {
        page["incomplete"].is_null()
    })
    .await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");

    // A client of the other hub joins, leaves, and is banned from both hubs.
    let call = async |procedure: &str, input: Value| {
        let (status, answer) = one.call(procedure, &backend, input).await;
        assert_eq!(status, 200, "{procedure} {answer}");
        answer["result"]["data"].clone()
    };
    let client = &hello["clientId"];
    let topics = json!({ "clientId": client, "topics": ["news"] });
    assert_eq!(call("join", topics.clone()).await["matched"], 1);
    call(
        "publish",
        json!({ "target": { "topic": "news" }, "event": "number", "data": 1 }),
    )
    .await;
    while there.next_event_within(TIMEOUT).await.unwrap().event_type != "number" {}
    assert_eq!(call("leave", topics).await["matched"], 1);
    let target = json!({ "client": client });
    let kicked = call(
        "disconnect",
        json!({ "target": target, "stayAwayMs": 60_000 }),
    )
    .await;
    assert_eq!(kicked["matched"], 1, "{kicked}");
    expect_system(&mut there, "disconnected").await;
    for hub in [&one, &two] {
        assert_eq!(
            hub.ask("GET", "/api/sse", &browser("laptop"), "")
                .await
                .status,
            204
        );
        assert!(hub.connect("", &browser("phone")).await.is_ok());
    }
}

#[tokio::test]
async fn hubs_on_one_redis_have_one_management() {
    one_management_for_all(Kind::Redis).await;
}

#[tokio::test]
async fn hubs_on_one_nats_have_one_management() {
    one_management_for_all(Kind::Nats).await;
}
