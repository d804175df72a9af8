//! Several nodes, of which one answers.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use sse_cluster::{Cluster, ClusterConfig};
use sse_core::{
    Handshake, Manager, Retention, Session, access::AllowAll, backplane::MemoryBackplane,
    stats::LogState,
};
use sse_metrics::Metrics;
use sse_testkit::backplane::ScriptedBackplane;
use tokio::time::sleep;

use crate::api::Api;

/// Duration of a lease: long enough that a node that was cut off stays listed throughout a test.
const TERM: Duration = Duration::from_secs(120);

struct Node {
    api: Api,
    cluster: Cluster,
    way: ScriptedBackplane,
}

impl Node {
    async fn start(memory: &MemoryBackplane, name: &str) -> Self {
        let way = ScriptedBackplane::new(memory.clone());
        let manager = Manager::builder()
            .access(AllowAll)
            .connection_timeout(TERM * 100)
            .backplane(way.clone())
            .build()
            .unwrap();
        let cluster = Cluster::start(&manager, ClusterConfig::new().name(name).term(TERM));
        while manager.log_stats().unwrap().state != LogState::Current {
            sleep(Duration::from_millis(10)).await;
        }
        let mut api = Api::of(manager);
        api.management = api.management.cluster(cluster.clone());
        Self { api, cluster, way }
    }

    fn connect(&self, user: &str, topic: &str) -> Session {
        self.api
            .manager
            .connect(Handshake::new().user(user).topic(topic))
            .unwrap()
    }
}

async fn pair() -> (Node, Node) {
    let memory = MemoryBackplane::new(Retention::default());
    let pair = (
        Node::start(&memory, "one").await,
        Node::start(&memory, "two").await,
    );
    settle().await;
    pair
}

/// Waits until the nodes have exchanged their state, in paused time.
async fn settle() {
    sleep(TERM / 2).await;
}

#[tokio::test(start_paused = true)]
async fn stats_cover_all_nodes() {
    let (one, two) = pair().await;
    let _streams = [
        one.connect("ada", "a"),
        two.connect("ada", "a"),
        two.connect("ben", "a"),
    ];
    settle().await;
    let stats = one.api.query("sse.getStats", json!({})).await.data();
    assert_eq!(
        (&stats["totalConnections"], &stats["uniqueUsers"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(stats["connectionsByUser"], json!({ "ada": 2, "ben": 1 }));
    assert_eq!(
        (&stats["node"], &stats["connected"]),
        (&json!(one.cluster.node()), &json!(1))
    );
    let nodes = stats["nodes"].as_array().unwrap();
    let of = |name: &str| nodes.iter().find(|node| node["name"] == name).unwrap();
    assert_eq!(
        (&of("one")["connections"], &of("one")["uniqueUsers"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&of("two")["connections"], &of("two")["node"]),
        (&json!(2), &json!(two.cluster.node()))
    );
    assert!(stats["ageMs"].is_u64() && of("two")["ageMs"].is_u64());
    assert_eq!(stats.get("incomplete"), None);

    two.way.set_away(true);
    sleep(TERM * 2).await;
    let stats = two
        .api
        .query("sse.getStats", json!({ "byUser": false }))
        .await
        .data();
    assert_eq!(stats["totalConnections"], 3, "the last known count");
    assert!(stats["incomplete"].is_array(), "{stats}");
}

#[tokio::test(start_paused = true)]
async fn scrape_has_cluster_metrics_only_in_a_cluster() {
    let (one, two) = pair().await;
    let _streams = [
        one.connect("ada", "a"),
        two.connect("ada", "a"),
        two.connect("ben", "a"),
    ];
    settle().await;
    let scrape = |api: &Api| {
        Metrics::new()
            .source(api.management.clone())
            .scrape(None)
            .body
    };
    let text = scrape(&one.api);
    for sample in ["nodes 2", "streams 3", "users 2", "complete 1"] {
        assert!(
            text.contains(&format!("\nsse_cluster_{sample}\n")),
            "{sample}\n{text}"
        );
    }
    assert!(text.contains("\nsse_cluster_age_seconds "), "{text}");
    two.way.set_away(true);
    sleep(TERM * 2).await;
    assert!(scrape(&two.api).contains("\nsse_cluster_complete 0\n"));
    assert!(!scrape(&Api::open()).contains("sse_cluster"));
}

#[tokio::test(start_paused = true)]
async fn connections_of_all_nodes_are_listed() {
    let (one, two) = pair().await;
    let streams: Vec<_> = (0..5)
        .map(|n| [&one, &two][n % 2].connect("ada", "a"))
        .collect();
    let (mut found, mut input) = (Vec::new(), json!({ "limit": 2, "userId": "ada" }));
    loop {
        let page = one
            .api
            .query("sse.getConnections", input.clone())
            .await
            .data();
        assert_eq!(page.get("incomplete"), None);
        found.extend(page["items"].as_array().unwrap().iter().map(|item| {
            assert!(
                item["node"] == json!(one.cluster.node())
                    || item["node"] == json!(two.cluster.node())
            );
            item["clientId"].as_str().unwrap().to_owned()
        }));
        input["cursor"] = page["nextCursor"].clone();
        if input["cursor"].is_null() {
            break;
        }
        assert!(input["cursor"].is_string());
    }
    assert_eq!(found.len(), 5);
    let ids: BTreeSet<_> = streams
        .iter()
        .map(|stream| stream.client_id().to_string())
        .collect();
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), ids);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_the_other_kind_is_refused() {
    let (one, _two) = pair().await;
    let message = "cursor: is no cursor of this listing";
    one.api
        .query("sse.getConnections", json!({ "cursor": 7 }))
        .await
        .bad_request(message);
    let of_cluster = json!({ "cursor": format!("{}:7", one.cluster.node()) });
    Api::open()
        .query("sse.getConnections", of_cluster)
        .await
        .bad_request(message);
}

#[tokio::test(start_paused = true)]
async fn streams_are_changed_and_ended_on_any_node() {
    let (one, two) = pair().await;
    let stream = two.connect("ada", "a");
    let id = stream.client_id().to_string();
    let topics = |topics: Value| json!({ "clientId": id, "topics": topics });
    one.api
        .mutate("sse.join", topics(json!(["b"])))
        .await
        .matched(1);
    one.api
        .mutate("sse.leave", topics(json!(["a"])))
        .await
        .matched(1);
    let connection = two.api.manager.connection(stream.client_id()).unwrap();
    assert_eq!(connection.topics, ["b".parse().unwrap()]);
    one.api
        .mutate("sse.disconnect", json!({ "target": { "user": "ada" } }))
        .await
        .matched(1);
    one.api
        .mutate("sse.join", topics(json!(["b"])))
        .await
        .matched(0);

    two.way.set_away(true);
    sleep(Duration::from_secs(1)).await;
    let silent = json!([two.cluster.node()]);
    for (procedure, input) in [
        ("sse.join", topics(json!(["b"]))),
        ("sse.leave", topics(json!(["b"]))),
        ("sse.disconnect", json!({ "target": "all" })),
    ] {
        let done = one.api.mutate(procedure, input).await.data();
        assert_eq!(
            done,
            json!({ "matched": 0, "incomplete": silent }),
            "{procedure}"
        );
    }
    let page = one.api.query("sse.getConnections", json!({})).await.data();
    assert_eq!(
        page,
        json!({ "items": [], "nextCursor": null, "incomplete": silent })
    );
}

#[tokio::test(start_paused = true)]
async fn user_is_banned_from_all_nodes() {
    let (one, two) = pair().await;
    let input = json!({ "target": { "user": "ada" }, "stayAwayMs": 60_000 });
    one.api.mutate("sse.disconnect", input).await.matched(0);
    assert!(
        two.api
            .manager
            .connect(Handshake::new().user("ada"))
            .is_err()
    );
}
