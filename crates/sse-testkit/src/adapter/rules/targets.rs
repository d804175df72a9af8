//! The streams that an event reaches, and the order of events.

use sse_core::{Event, Manager, config::HeartbeatKind};

use crate::adapter::{
    harness::Harness,
    running_app::{RunningApp, json, next, next_data},
};

/// Number of streams: many for one test, few for the machine.
const MANY: usize = 1000;

pub async fn an_event_reaches_its_target_and_nobody_else(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut clients = Vec::new();
    let mut ids = Vec::new();
    for path in [
        "/events?user=42",
        "/events?user=42&topics=news",
        "/events?user=7",
        "/events?topics=news",
    ] {
        let mut client = app.get(path).open().await.expect("a stream");
        let hello = json(&next(&mut client).await);
        ids.push(
            hello["clientId"]
                .as_str()
                .expect("an id")
                .parse()
                .expect("an id"),
        );
        clients.push(client);
    }
    let text = Event::text;
    let receipts = [
        app.manager.all().publish(text("all")).await,
        app.manager.user("42").publish(text("user")).await,
        app.manager.topic("news").publish(text("topic")).await,
        app.manager.client(ids[2]).publish(text("client")).await,
        app.manager
            .all()
            .except(ids[0])
            .except(ids[3])
            .publish(text("except"))
            .await,
        app.manager.user("nobody").publish(text("nobody")).await,
        app.manager.all().publish(text("end")).await,
    ];
    let matched = receipts.map(|receipt| receipt.expect("a publish").matched);
    assert_eq!(matched, [4, 2, 2, 1, 2, 0, 4]);
    let expected: [&[&str]; 4] = [
        &["all", "user", "end"],
        &["all", "user", "topic", "except", "end"],
        &["all", "client", "except", "end"],
        &["all", "topic", "end"],
    ];
    for (client, expected) in clients.iter_mut().zip(expected) {
        for text in expected {
            assert_eq!(next_data(client).await, *text);
        }
    }
    drop(clients);
    app.finish().await;
}

pub async fn every_stream_sees_one_order_whatever_the_targets(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut clients = Vec::new();
    for path in ["/events?user=42&topics=a,b", "/events?user=42&topics=a,b"] {
        clients.push(app.open(path).await);
    }
    for number in 0..200 {
        let event = Event::text(format!("{number}"));
        let published = match number % 4 {
            0 => app.manager.all().publish(event).await,
            1 => app.manager.user("42").publish(event).await,
            2 => app.manager.topic("a").publish(event).await,
            _ => app.manager.topic("b").publish(event).await,
        };
        assert_eq!(published.expect("a publish").matched, 2);
    }
    for client in &mut clients {
        for number in 0..200 {
            assert_eq!(next_data(client).await, number.to_string());
        }
    }
    drop(clients);
    app.finish().await;
}

pub async fn lines_and_letters_arrive_as_they_were_sent(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut client = app.open("/events").await;
    let large = "0123456789abcdef".repeat(64 << 10);
    for text in [
        "",
        " leading",
        "a\nb\n",
        "\n",
        "data: x",
        ": y",
        "Grüße 世界 🦀",
        &large,
    ] {
        app.publish(text).await;
        assert_eq!(next_data(&mut client).await, text);
    }
    drop(client);
    app.finish().await;
}

pub async fn a_thousand_streams_get_everything(harness: Harness) {
    // On a busy machine, not all streams are connected before the first would receive a heartbeat.
    let app = harness.start(
        Manager::builder()
            .max_connections(MANY)
            .heartbeat(HeartbeatKind::Off),
    );
    let mut clients = Vec::new();
    for number in 0..MANY {
        clients.push(app.open(&format!("/events?user={}", number % 100)).await);
    }
    let stats = app.manager.stats();
    assert_eq!((stats.total_connections, stats.unique_users), (MANY, 100));
    for round in 0..20 {
        assert_eq!(app.publish(&format!("{round}")).await, MANY);
    }
    assert_eq!(to_user(&app, "7").await, MANY / 100);
    app.publish("end").await;
    for (number, client) in clients.iter_mut().enumerate() {
        for round in 0..20 {
            assert_eq!(next_data(client).await, round.to_string());
        }
        if number % 100 == 7 {
            assert_eq!(next_data(client).await, "for 7");
        }
        assert_eq!(next_data(client).await, "end");
    }
    drop(clients);
    app.departures(MANY).await;
    app.finish().await;
}

async fn to_user(app: &RunningApp, user: &str) -> usize {
    let event = Event::text(format!("for {user}"));
    app.manager
        .user(user)
        .publish(event)
        .await
        .expect("a publish")
        .matched
}
