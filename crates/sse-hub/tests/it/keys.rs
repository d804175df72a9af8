//! Idempotency keys of several callers: their scope, and their limits.

use serde_json::{Value, json};
use sse_testkit::Response;

use crate::{
    access::{Header, bearer, with_jwt},
    brokers::{Broker, Kind},
    hub::{Hub, command, refusal},
    nodes::becomes,
    tokens::{BACKEND, token},
};

fn user(name: &str) -> Header<'static> {
    bearer(&token(name, 3600, &json!({})))
}

fn admin() -> Header<'static> {
    bearer(&token("root", 3600, &json!({ "role": "admin" })))
}

fn backend() -> Header<'static> {
    bearer(BACKEND)
}

async fn hub(url: &str, arguments: &[&str]) -> Hub {
    let hub = Hub::spawn(with_jwt(&[&["--backplane", url][..], arguments].concat())).await;
    becomes(&hub, 200).await;
    hub
}

/// Publishes an event of a caller to a user, with a key.
async fn publish(hub: &Hub, caller: &Header<'_>, to: &str, key: &str) -> Result<bool, Response> {
    publish_with(hub, caller, to, json!({ "key": key })).await
}

/// Publishes an event. Returns whether the event is a duplicate, or the rejection.
async fn publish_with(
    hub: &Hub,
    caller: &Header<'_>,
    to: &str,
    more: Value,
) -> Result<bool, Response> {
    let mut input = json!({ "target": { "user": to }, "event": "e", "data": 1 });
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let headers = [
        ("content-type", "application/json".to_owned()),
        caller.clone(),
    ];
    let answer = hub
        .ask(
            "POST",
            "/api/trpc/sse.publish",
            &headers,
            &input.to_string(),
        )
        .await;
    if answer.status != 200 {
        return Err(answer);
    }
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    Ok(answer["result"]["data"]["duplicate"] == true)
}

#[track_caller]
fn expect_refusal(result: Result<bool, Response>, status: u16, code: &str) {
    let answer = result.expect_err("the publish exceeds the bound on keys");
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{text}");
    assert!(
        text.contains(code) && text.contains("within two minutes"),
        "{text}"
    );
    let seconds: u64 = answer.headers.get("retry-after").unwrap().parse().unwrap();
    assert!((1..=140).contains(&seconds), "{seconds} s");
}

/// Asserts that callers with the same key do not affect one another, on one log and from several
/// hubs.
async fn each_caller_has_keys_of_its_own(hubs: &[&Hub]) {
    let callers = [
        (user("mallory"), "mallory"),
        (user("43"), "43"),
        (admin(), "43"),
        (backend(), "43"),
    ];
    for key in ["order-7-paid", "@", "a:b", "mallory", "\0\n", "ключ 🗝"] {
        for is_there in [false, true] {
            for hub in hubs {
                if !is_there && !std::ptr::eq(*hub, hubs[0]) {
                    continue;
                }
                for (caller, to) in &callers {
                    let duplicate = publish(hub, caller, to, key).await.unwrap();
                    assert_eq!(duplicate, is_there, "{key:?} of {to}");
                }
            }
        }
    }
    // A key in the form in which a hub stores another caller's keys does not match those keys.
    for (hub, digest) in hubs.iter().zip(["@", "@@", "@-"]) {
        let forged = format!("{digest}{}", "0".repeat(64));
        assert!(!publish(hub, &backend(), "43", &forged).await.unwrap());
        assert!(
            !publish(hub, &user("mallory"), "mallory", &forged)
                .await
                .unwrap()
        );
    }
}

#[tokio::test]
async fn callers_cannot_use_keys_of_others() {
    each_caller_has_keys_of_its_own(&[&hub("memory", &[]).await]).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("events").display());
    each_caller_has_keys_of_its_own(&[&hub(&url, &[]).await]).await;
}

#[tokio::test]
async fn hubs_on_one_broker_agree_on_key_owners() {
    for kind in [Kind::Redis, Kind::Nats] {
        let Some(broker) = Broker::started(kind).await else {
            continue;
        };
        let (one, two) = (hub(&broker.url(), &[]).await, hub(&broker.url(), &[]).await);
        each_caller_has_keys_of_its_own(&[&one, &two]).await;
    }
}

/// Returns the publishes that use up a key if the log is in memory, which never makes a publish
/// wait.
fn keyed() -> Vec<Value> {
    vec![json!({ "key": "more" })]
}

/// Returns the publishes that use up a key in every other log.
fn keyed_or_patient() -> Vec<Value> {
    vec![json!({ "key": "more" }), json!({ "retryForMs": 1000 })]
}

/// Fills the bounds, which are 5, 12 and 8.
async fn expect_bounds(hub: &Hub, takers: &[Value]) {
    assert!(
        !publish(hub, &backend(), "43", "order-7-paid")
            .await
            .unwrap()
    );
    for (name, room) in [("a", 5), ("b", 5), ("c", 2)] {
        for key in 0..room {
            assert!(
                !publish(hub, &user(name), name, &key.to_string())
                    .await
                    .unwrap(),
                "{name} {key}"
            );
        }
        let (status, code) = if room == 5 {
            (429, "TOO_MANY_REQUESTS")
        } else {
            (503, "SERVICE_UNAVAILABLE")
        };
        for more in takers {
            expect_refusal(
                publish_with(hub, &user(name), name, more.clone()).await,
                status,
                code,
            );
        }
        assert!(
            publish(hub, &user(name), name, "0").await.unwrap(),
            "a remembered key is known"
        );
        assert!(
            !publish_with(hub, &user(name), name, json!({}))
                .await
                .unwrap(),
            "a publish without a key needs no room"
        );
    }
    assert!(
        publish(hub, &backend(), "43", "order-7-paid")
            .await
            .unwrap(),
        "the key of the backend was evicted"
    );
    for key in 1..8 {
        assert!(
            !publish(hub, &backend(), "43", &key.to_string())
                .await
                .unwrap()
        );
    }
    expect_refusal(
        publish(hub, &backend(), "43", "more").await,
        503,
        "SERVICE_UNAVAILABLE",
    );
    assert!(
        publish(hub, &backend(), "43", "order-7-paid")
            .await
            .unwrap()
    );
    assert!(
        !publish_with(hub, &backend(), "43", json!({}))
            .await
            .unwrap()
    );
}

const BOUNDS: [&str; 3] = [
    "--keys-per-user=5",
    "--keys-of-users=12",
    "--keys-of-backends=8",
];

#[tokio::test]
async fn flood_of_keys_evicts_no_other_keys() {
    expect_bounds(&hub("memory", &BOUNDS).await, &keyed()).await;
    if let Some(broker) = Broker::started(Kind::Nats).await {
        expect_bounds(&hub(&broker.url(), &BOUNDS).await, &keyed_or_patient()).await;
    }
}

/// Asserts that another hub also rejects publishes after [`expect_bounds`].
async fn expect_bounds_reached(hub: &Hub) {
    expect_refusal(
        publish(hub, &user("a"), "a", "more").await,
        429,
        "TOO_MANY_REQUESTS",
    );
    expect_refusal(
        publish(hub, &user("d"), "d", "more").await,
        503,
        "SERVICE_UNAVAILABLE",
    );
    expect_refusal(
        publish(hub, &backend(), "43", "more").await,
        503,
        "SERVICE_UNAVAILABLE",
    );
    for (caller, to, key) in [
        (user("a"), "a", "0"),
        (user("c"), "c", "1"),
        (backend(), "43", "order-7-paid"),
    ] {
        assert!(
            publish(hub, &caller, to, key).await.unwrap(),
            "{key} of {to} is forgotten"
        );
    }
}

#[tokio::test]
async fn bounds_and_keys_outlive_a_hub_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("events").display());
    let killed = hub(&url, &BOUNDS).await;
    expect_bounds(&killed, &keyed_or_patient()).await;
    drop(killed);
    expect_bounds_reached(&hub(&url, &BOUNDS).await).await;
}

#[tokio::test]
async fn hubs_on_one_redis_share_the_bounds() {
    let Some(broker) = Broker::started(Kind::Redis).await else {
        return;
    };
    let other = hub(&broker.url(), &BOUNDS).await;
    let killed = hub(&broker.url(), &BOUNDS).await;
    expect_bounds(&killed, &keyed_or_patient()).await;
    drop(killed);
    expect_bounds_reached(&other).await;
    expect_bounds_reached(&hub(&broker.url(), &BOUNDS).await).await;
}

#[tokio::test]
async fn visitors_of_a_demo_have_keys_of_their_own() {
    let hub = Hub::start(&["--backplane", "memory"]).await;
    for is_there in [false, true] {
        for query in ["", "?user=ada", "?user=ben"] {
            let input = json!({ "target": "all", "event": "e", "data": 1, "key": "k" }).to_string();
            let headers = [("content-type", "application/json".to_owned())];
            let answer = hub
                .ask(
                    "POST",
                    &format!("/api/trpc/sse.publish{query}"),
                    &headers,
                    &input,
                )
                .await;
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(
                answer["result"]["data"]["duplicate"] == true,
                is_there,
                "{query:?}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn invalid_bounds_on_keys_are_rejected() {
    for (arguments, named) in [
        (
            &["--keys-per-user=5"][..],
            "--keys-per-user is for a hub that logs events",
        ),
        (
            &["--keys-of-backends=5"],
            "--keys-of-backends is for a hub that logs events",
        ),
        (
            &["--backplane=memory", "--keys-per-user=0"],
            "--keys-per-user must be 1 to 10000000, not 0",
        ),
    ] {
        let mut command = command();
        command.args(arguments);
        let text = refusal(command).await;
        assert!(text.contains(named), "{text}");
    }
}
