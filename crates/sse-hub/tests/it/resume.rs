//! Replay for returning clients, on a hub with an event log.

use serde_json::{Value, json};
use sse_testkit::{Decoded, RawClient, RawRequest};

use crate::{
    access::{Header, bearer, with_jwt},
    hub::{Hub, TIMEOUT},
    tokens::{BACKEND, token},
};

const MEMORY: &[&str] = &["--backplane", "memory"];

/// The places in which a client can send its last id: the header, or a parameter of the query.
const CARRIERS: [Option<&str>; 5] = [
    None,
    Some("lastEventId"),
    Some("last_event_id"),
    Some("Last-Event-ID"),
    Some("lastEventID"),
];

impl Hub {
    /// Opens a stream as a client with a last id. Returns the stream and its `connection` event.
    pub(crate) async fn back(
        &self,
        query: &str,
        headers: &[Header<'_>],
        id: &str,
    ) -> (RawClient, Decoded) {
        self.back_by(None, query, headers, id).await
    }

    async fn back_by(
        &self,
        carrier: Option<&str>,
        query: &str,
        headers: &[Header<'_>],
        id: &str,
    ) -> (RawClient, Decoded) {
        let query = carrier.map_or_else(|| query.to_owned(), |name| format!("{query}&{name}={id}"));
        let request = RawRequest::get(self.address(), format!("/api/sse?{query}"));
        let request = if carrier.is_none() {
            request.header("last-event-id", id)
        } else {
            request
        };
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let mut stream = request.open().await.unwrap();
        let hello = stream.next_event_within(TIMEOUT).await.unwrap();
        assert_eq!(hello.event_type, "connection", "{hello:?}");
        (stream, hello)
    }

    /// Publishes a number. Returns the id of the event.
    pub(crate) async fn number(&self, target: Value, number: usize) -> String {
        let input = json!({ "target": target, "event": "number", "data": number });
        let (status, answer) = self.post("publish", &input.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        answer["result"]["data"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub(crate) fn data(event: &Decoded) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

/// Returns whether a `connection` event reports that the replay is complete.
pub(crate) fn resumed(hello: &Decoded) -> bool {
    data(hello)["resumed"].as_bool().unwrap()
}

/// Returns all events before the event of [`Hub::fence`], except heartbeats.
pub(crate) async fn before_fence(stream: &mut RawClient) -> Vec<Decoded> {
    let mut events = Vec::new();
    loop {
        let event = stream.next_event_within(TIMEOUT).await.unwrap();
        match &*event.event_type {
            "heartbeat" => {}
            "system" if data(&event)["event"] == "fence" => return events,
            _ => events.push(event),
        }
    }
}

/// Returns the numbers among the events.
pub(crate) fn numbers(events: &[Decoded]) -> Vec<u64> {
    let numbers = events.iter().filter(|event| event.event_type == "number");
    numbers.map(|event| event.data.parse().unwrap()).collect()
}

fn gaps(events: &[Decoded]) -> Vec<(Value, Value, Value)> {
    let gaps = events
        .iter()
        .filter(|event| event.event_type == "system")
        .map(data);
    let gaps = gaps
        .filter(|data| data["event"] == "gap")
        .map(|gap| gap["data"].clone());
    gaps.map(|gap| {
        (
            gap["reason"].clone(),
            gap["from"].clone(),
            gap["to"].clone(),
        )
    })
    .collect()
}

#[tokio::test]
async fn missed_events_arrive_once_and_in_order() {
    let hub = Hub::start(MEMORY).await;
    let query = "user=ada&topics=news,sport";
    let (mut stream, hello) = hub.greeted(query).await;
    assert_eq!(hello["resumed"], false);
    let client = hello["clientId"].clone();
    hub.number(json!({ "user": "ada" }), 0).await;
    let had = stream.next_event_within(TIMEOUT).await.unwrap();
    assert_eq!((&*had.event_type, &*had.data), ("number", "0"));
    drop(stream);
    hub.settles_at(0).await;

    let mine = [
        json!({ "user": "ada" }),
        json!({ "topic": "news" }),
        json!({ "topic": "sport" }),
        json!("all"),
    ];
    let others = [
        json!({ "user": "ben" }),
        json!({ "topic": "weather" }),
        json!({ "client": client }),
    ];
    let mut ids = Vec::new();
    for number in 1..=12 {
        ids.push(hub.number(mine[number % mine.len()].clone(), number).await);
        hub.number(others[number % others.len()].clone(), 1000 + number)
            .await;
        let input =
            json!({ "target": "all", "event": "number", "data": 2000 + number, "ephemeral": true });
        hub.send("publish", input).await;
    }
    for carrier in CARRIERS {
        let (mut stream, hello) = hub.back_by(carrier, query, &[], &had.id).await;
        assert!(resumed(&hello), "{carrier:?}");
        assert_eq!(
            hello.id, had.id,
            "a disconnect before the first event loses nothing"
        );
        hub.fence().await;
        let events = before_fence(&mut stream).await;
        assert_eq!(
            events.iter().map(|event| &event.id).collect::<Vec<_>>(),
            ids.iter().collect::<Vec<_>>()
        );
        assert_eq!(
            numbers(&events),
            (1..=12).collect::<Vec<_>>(),
            "{carrier:?}"
        );
    }
}

#[tokio::test]
async fn events_during_replay_follow_the_replay() {
    let hub = Hub::start(MEMORY).await;
    let had = hub.number(json!("all"), 0).await;
    for number in 1..=200 {
        hub.number(json!({ "user": "ada" }), number).await;
    }
    let publishing = async {
        for number in 201..=240 {
            hub.number(json!("all"), number).await;
        }
        hub.fence().await;
    };
    let returning = async {
        let mut came = Vec::new();
        for _ in 0..10 {
            let (mut stream, hello) = hub.back("user=ada", &[], &had).await;
            assert!(resumed(&hello));
            came.push(async move { numbers(&before_fence(&mut stream).await) });
        }
        let mut all = Vec::new();
        for numbers in came {
            all.push(numbers.await);
        }
        all
    };
    let ((), all) = tokio::join!(publishing, returning);
    for numbers in all {
        assert_eq!(numbers, (1..=240).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn quiet_client_resumes_by_its_heartbeats() {
    let options = [
        MEMORY,
        &["--heartbeat-interval", "100ms", "--log-entries", "5"],
    ]
    .concat();
    let hub = Hub::start(&options).await;
    let mut stream = hub.open("user=ada").await;
    let hello = stream.next_event_within(TIMEOUT).await.unwrap();
    let mut head = String::new();
    for number in 0..20 {
        head = hub.number(json!({ "user": "ben" }), number).await;
    }
    let beat = loop {
        let event = stream.next_event_within(TIMEOUT).await.unwrap();
        assert_eq!(event.event_type, "heartbeat");
        if event.id == head {
            break event;
        }
    };
    drop(stream);
    hub.settles_at(0).await;
    let id = hub.number(json!({ "user": "ada" }), 7).await;

    let (mut stream, back) = hub.back("user=ada", &[], &beat.id).await;
    assert!(resumed(&back));
    hub.fence().await;
    let events = before_fence(&mut stream).await;
    assert_eq!((numbers(&events), gaps(&events)), (vec![7], vec![]));
    assert_eq!(events[0].id, id);
    // The id of the `connection` event, in contrast, leads to a gap.
    let (mut stream, back) = hub.back("user=ada", &[], &hello.id).await;
    hub.fence().await;
    let reasons: Vec<_> = gaps(&before_fence(&mut stream).await)
        .into_iter()
        .map(|gap| gap.0)
        .collect();
    assert_eq!((resumed(&back), reasons), (false, vec![json!("trimmed")]));
}

#[tokio::test]
async fn missing_events_are_a_gap_with_a_reason() {
    let hub = Hub::start(&[MEMORY, &["--log-entries", "10"]].concat()).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(hub.number(json!("all"), number).await);
    }
    let head = ids.last().unwrap();
    let (epoch, _) = head.split_once('-').unwrap();
    let trimmed = &ids[19];
    for (id, reason, from, to, then) in [
        ("garbage".to_owned(), "invalid", Value::Null, head, 30..30),
        (format!("{epoch}-1x"), "invalid", Value::Null, head, 30..30),
        (format!("{epoch}-01"), "invalid", Value::Null, head, 30..30),
        (
            "0123456789abcdef-30".to_owned(),
            "epoch",
            json!("0123456789abcdef-30"),
            head,
            30..30,
        ),
        (
            format!("{epoch}-31"),
            "future",
            json!(format!("{epoch}-31")),
            head,
            30..30,
        ),
        (ids[3].clone(), "trimmed", json!(ids[3]), trimmed, 20..30),
        (
            format!("{epoch}-0"),
            "trimmed",
            json!(format!("{epoch}-0")),
            trimmed,
            20..30,
        ),
    ] {
        let (mut stream, hello) = hub.back("user=ada", &[], &id).await;
        assert!(!resumed(&hello), "{id}");
        // The event is unlogged, so the log does not change.
        let end = json!({ "target": "all", "event": "system", "data": { "event": "fence" }, "ephemeral": true });
        hub.send("publish", end).await;
        let events = before_fence(&mut stream).await;
        assert_eq!(gaps(&events), [(json!(reason), from, json!(to))], "{id}");
        let gap = events.iter().position(|event| event.event_type == "system");
        assert_eq!(
            (gap, &events[0].id),
            (Some(0), to),
            "the gap comes first, and the client continues after it"
        );
        assert_eq!(numbers(&events), then.collect::<Vec<_>>(), "{id}");
    }
    // Clients within the retained part of the log get no gap.
    for (id, missed) in [(trimmed, 10), (&ids[28], 1), (head, 0)] {
        let (mut stream, hello) = hub.back("user=ada", &[], id).await;
        assert!(resumed(&hello), "{id}");
        let end = json!({ "target": "all", "event": "system", "data": { "event": "fence" }, "ephemeral": true });
        hub.send("publish", end).await;
        let events = before_fence(&mut stream).await;
        assert_eq!(
            (numbers(&events).len(), gaps(&events)),
            (missed, vec![]),
            "{id}"
        );
    }
}

#[tokio::test]
async fn ids_are_absent_and_ignored_without_a_log() {
    let hub = Hub::start(&[]).await;
    for id in ["garbage", "0123456789abcdef-1"] {
        let (mut stream, hello) = hub.back("user=ada", &[], id).await;
        assert_eq!((resumed(&hello), &*hello.id), (false, ""));
        assert_eq!(hub.number(json!("all"), 1).await, "");
        hub.fence().await;
        let events = before_fence(&mut stream).await;
        assert_eq!((numbers(&events), &*events[0].id), (vec![1], ""));
    }
}

#[tokio::test]
async fn replay_respects_present_rights() {
    let options = [MEMORY, &["--join", "teams/{team}"]].concat();
    let hub = Hub::spawn(with_jwt(&options)).await;
    let member = |user: &str, team: &str| [bearer(&token(user, 600, &json!({ "team": team })))];
    let backend = [bearer(BACKEND)];
    let publish = async |target: Value, number: u64| {
        let input = json!({ "target": target, "event": "number", "data": number });
        let (status, answer) = hub.call("publish", &backend, input).await;
        assert_eq!(status, 200, "{answer}");
        answer["result"]["data"]["id"].as_str().unwrap().to_owned()
    };
    let fence = async || {
        let input = json!({ "event": "fence" });
        assert_eq!(
            hub.call("broadcastSystemEvent", &backend, input).await.0,
            200
        );
    };
    let had = publish(json!("all"), 0).await;
    publish(json!({ "topic": "teams/red" }), 1).await;
    publish(json!({ "topic": "teams/blue" }), 2).await;
    publish(json!({ "user": "ada" }), 3).await;
    publish(json!({ "user": "ben" }), 4).await;

    for (user, team, topics, expected) in [
        ("ada", "red", "teams/red", &[1, 3][..]),
        ("ada", "blue", "teams/blue", &[2, 3]),
        ("ada", "red", "", &[3]),
        ("ben", "blue", "teams/blue", &[2, 4]),
    ] {
        let query = format!("topics={topics}");
        let (mut stream, hello) = hub.back(&query, &member(user, team), &had).await;
        fence().await;
        let events = before_fence(&mut stream).await;
        assert_eq!(
            (resumed(&hello), &*numbers(&events)),
            (true, expected),
            "{user} of {team}, {topics}"
        );
    }
    // The user changed teams. The old team is closed to her, even with an earlier id.
    let query = format!("topics=teams/red&lastEventId={had}");
    assert_eq!(
        hub.connect(&query, &member("ada", "blue"))
            .await
            .unwrap_err(),
        403
    );
}

/// Lifetime in seconds of a token that expires during the test. The time suffices to connect with
/// the token on a busy machine.
const SHORT: u64 = 10;

#[tokio::test]
async fn client_resumes_with_a_new_token() {
    let hub = Hub::spawn(with_jwt(
        &[MEMORY, &["--heartbeat-interval", "500ms"]].concat(),
    ))
    .await;
    let backend = [bearer(BACKEND)];
    let publish = async |number: u64| {
        let input = json!({ "target": { "user": "ada" }, "event": "number", "data": number });
        assert_eq!(hub.call("publish", &backend, input).await.0, 200);
    };
    let ada = |seconds| [bearer(&token("ada", seconds, &json!({})))];
    let (mut stream, _) = hub.connect("", &ada(SHORT)).await.unwrap();
    publish(1).await;
    let mut seen = Vec::new();
    let last = loop {
        let event = stream.next_event_within(TIMEOUT).await.unwrap();
        let is_end = event.event_type == "system" && data(&event)["event"] == "auth_expired";
        let id = event.id.clone();
        seen.push(event);
        if is_end {
            break id;
        }
    };
    stream.expect_end().await.unwrap();
    assert_eq!(numbers(&seen), [1]);
    publish(2).await;
    publish(3).await;
    let (mut stream, hello) = hub.back("", &ada(600), &last).await;
    publish(4).await;
    assert!(resumed(&hello));
    let mut events = Vec::new();
    while numbers(&events).len() < 3 {
        events.push(stream.next_event_within(TIMEOUT).await.unwrap());
    }
    assert_eq!((numbers(&events), gaps(&events)), (vec![2, 3, 4], vec![]));
}
