//! Limits, and the behaviour beyond them.

use std::{net::IpAddr, time::Duration};

use sse_core::{
    ConnectError, ConnectErrorKind, DisconnectOptions, DisconnectReason, Handshake, Manager,
    Session, ShutdownOptions, Target, UserId,
    config::{LimitPolicy, RejectionStyle},
    dialect::HttpResponse,
};
use tokio::time::sleep;

use crate::support::{Client, Heard, json};

fn cause(result: Result<Session, ConnectError>) -> ConnectErrorKind {
    result.unwrap_err().cause().clone()
}

fn header<'a>(answer: &'a HttpResponse, name: &str) -> Option<&'a str> {
    answer
        .headers
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| &**value)
}

fn user(name: &str) -> Handshake {
    Handshake::new().user(name)
}

fn from(address: &str) -> Handshake {
    Handshake::new().address(address.parse().unwrap())
}

/// Returns the name of the event that a stream ended with, and its data.
fn farewell(client: &mut Client) -> (String, serde_json::Value) {
    let events = client.take();
    assert!(client.over);
    let last = json(events.last().unwrap());
    (
        last["event"].as_str().unwrap().to_owned(),
        last["data"].clone(),
    )
}

#[test]
fn default_limit_is_a_thousand_connections() {
    let manager = Manager::builder().build().unwrap();
    let mut clients: Vec<_> = (0..1000)
        .map(|_| Client::connect(&manager, Handshake::new()))
        .collect();
    assert_eq!(
        cause(manager.connect(Handshake::new())),
        ConnectErrorKind::Full
    );
    clients.pop();
    assert!(manager.connect(Handshake::new()).is_ok());
    assert_eq!(manager.stats().counters.refused.get("full"), 1);
    assert_eq!(manager.stats().counters.connected, 1001);
}

#[test]
fn user_and_address_limits_reject_newcomers() {
    let builder = Manager::builder().max_connections_per_user(2, LimitPolicy::Refuse);
    let manager = builder
        .max_connections_per_address(3, LimitPolicy::Refuse)
        .build()
        .unwrap();
    let connect = |handshake: Handshake| manager.connect(handshake);
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let kept: Vec<_> = (0..2)
        .map(|_| connect(user("ann").address(address("10.0.0.1"))).unwrap())
        .collect();
    assert_eq!(
        cause(connect(user("ann").address(address("10.0.0.2")))),
        ConnectErrorKind::UserLimit
    );
    let third = connect(user("bob").address(address("::ffff:10.0.0.1"))).unwrap();
    assert_eq!(
        cause(connect(user("eve").address(address("10.0.0.1")))),
        ConnectErrorKind::AddressLimit,
        "a mapped address counts as IPv4"
    );
    assert!(connect(user("eve").address(address("10.0.0.2"))).is_ok());
    assert!(
        connect(Handshake::new()).is_ok(),
        "streams without user and address have only the total limit"
    );
    drop(kept);
    assert!(connect(user("ann").address(address("10.0.0.1"))).is_ok());
    drop(third);
    let refused = manager.stats().counters.refused;
    assert_eq!(
        (
            refused.get("user_limit"),
            refused.get("address_limit"),
            refused.total()
        ),
        (1, 1, 2)
    );
}

#[test]
fn only_anonymous_callers_count_at_their_address() {
    let builder = Manager::builder().max_anonymous_connections_per_address(2);
    // Combined with the limit for all streams of the address, each limit counts its own streams.
    let manager = builder
        .max_connections_per_address(4, LimitPolicy::Refuse)
        .build()
        .unwrap();
    let at = |handshake: Handshake, text: &str| {
        manager.connect(handshake.address(text.parse().unwrap()))
    };
    let mut kept: Vec<_> = (0..2)
        .map(|_| at(Handshake::new(), "2001:db8::1").unwrap())
        .collect();
    assert_eq!(
        cause(at(Handshake::new(), "2001:db8::2")),
        ConnectErrorKind::AddressLimit,
        "the same network"
    );
    let users: Vec<_> = ["ann", "bob"]
        .map(|name| at(user(name), "2001:db8::1").unwrap())
        .into();
    assert_eq!(
        cause(at(user("eve"), "2001:db8::1")),
        ConnectErrorKind::AddressLimit,
        "the limit for everybody"
    );
    assert!(at(Handshake::new(), "2001:db8:0:1::1").is_ok());
    assert!(
        manager.connect(Handshake::new()).is_ok(),
        "streams without user and address are accepted"
    );
    drop(users);
    assert_eq!(
        cause(at(Handshake::new(), "2001:db8::1")),
        ConnectErrorKind::AddressLimit
    );
    kept.pop();
    kept.push(at(Handshake::new(), "2001:db8::1").unwrap());
}

#[test]
fn oldest_stream_is_evicted_at_the_total_limit() {
    let heard = Heard::default();
    let builder = Manager::builder()
        .max_connections(3)
        .when_full(LimitPolicy::ReplaceOldest);
    let manager = builder.hooks(heard.clone()).build().unwrap();
    let mut clients: Vec<_> = (0..3)
        .map(|_| Client::greeted(&manager, Handshake::new()))
        .collect();
    for at in 0..3 {
        let newcomer = Client::greeted(&manager, Handshake::new());
        assert_eq!(manager.stats().total_connections, 3);
        let (name, data) = farewell(&mut clients[at]);
        assert_eq!(name, "disconnected");
        assert_eq!(
            data,
            serde_json::json!({ "reason": "replaced", "reconnect": false })
        );
        clients.push(newcomer);
    }
    assert_eq!(manager.stats().ending, 3);
    assert_eq!(
        cause(manager.connect(Handshake::new())),
        ConnectErrorKind::Full,
        "no more streams can be ending"
    );
    assert_eq!(
        manager.stats().total_connections,
        3,
        "a rejected newcomer evicts no stream"
    );
    clients.drain(..3);
    assert_eq!(heard.reasons(), [DisconnectReason::Replaced; 3]);
    assert!(manager.connect(Handshake::new()).is_ok());
}

#[test]
fn oldest_stream_of_user_or_address_is_evicted() {
    let builder = Manager::builder().max_connections_per_user(3, LimitPolicy::ReplaceOldest);
    let manager = builder
        .max_connections_per_address(3, LimitPolicy::ReplaceOldest)
        .build()
        .unwrap();
    let makers: [fn() -> Handshake; 2] = [|| user("ann"), || from("10.0.0.1")];
    for make in makers {
        let mut others: Vec<_> = (0..5)
            .map(|_| Client::greeted(&manager, Handshake::new()))
            .collect();
        let mut clients: Vec<_> = (0..3).map(|_| Client::greeted(&manager, make())).collect();
        // Indexes are reused, so the order of indexes is not the order of age.
        clients.push(Client::greeted(&manager, make()));
        farewell(&mut clients.remove(0));
        for _ in 0..20 {
            clients.push(Client::greeted(&manager, make()));
            assert_eq!(farewell(&mut clients.remove(0)).0, "disconnected");
            assert!(
                clients
                    .iter_mut()
                    .all(|client| client.take().is_empty() && !client.over)
            );
        }
        assert!(
            others
                .iter_mut()
                .all(|client| client.take().is_empty() && !client.over)
        );
    }
}

#[test]
fn rejected_newcomer_evicts_no_stream() {
    let builder = Manager::builder()
        .max_connections(2)
        .max_connections_per_user(1, LimitPolicy::ReplaceOldest);
    let manager = builder.build().unwrap();
    let mut ann = Client::greeted(&manager, user("ann"));
    let _bob = Client::greeted(&manager, user("bob"));
    assert_eq!(cause(manager.connect(user("ann"))), ConnectErrorKind::Full);
    assert!(ann.take().is_empty() && !ann.over);

    let builder = Manager::builder().max_connections_per_user(1, LimitPolicy::ReplaceOldest);
    let manager = builder
        .max_connections_per_address(1, LimitPolicy::Refuse)
        .build()
        .unwrap();
    let mut ann = Client::greeted(&manager, user("ann"));
    let _bob = Client::greeted(&manager, from("10.0.0.1"));
    assert_eq!(
        cause(manager.connect(user("ann").address("10.0.0.1".parse().unwrap()))),
        ConnectErrorKind::AddressLimit
    );
    assert!(ann.take().is_empty() && !ann.over);
}

#[test]
fn eviction_for_a_user_also_frees_its_address() {
    let builder = Manager::builder().max_connections_per_user(1, LimitPolicy::ReplaceOldest);
    let manager = builder
        .max_connections_per_address(1, LimitPolicy::Refuse)
        .build()
        .unwrap();
    let handshake = || user("ann").address("10.0.0.1".parse().unwrap());
    let mut old = Client::greeted(&manager, handshake());
    let _new = Client::greeted(&manager, handshake());
    assert_eq!(farewell(&mut old).0, "disconnected");
    assert_eq!(manager.stats().total_connections, 1);
}

#[test]
fn rejections_carry_a_retry_delay() {
    let form = |form| {
        let builder = Manager::builder()
            .max_connections(1)
            .refusal(form)
            .retry(Duration::from_secs(4));
        builder
            .max_connections_per_user(1, LimitPolicy::Refuse)
            .build()
            .unwrap()
    };
    let manager = form(RejectionStyle::Status);
    let _full = manager.connect(user("ann")).unwrap();
    for (handshake, status) in [(user("ann"), 429), (user("bob"), 503)] {
        let answer = manager.connect(handshake).unwrap_err().response();
        assert_eq!(answer.status, status);
        let after: u64 = header(&answer, "retry-after").unwrap().parse().unwrap();
        assert!((4..=20).contains(&after), "{after}");
    }
    let manager = form(RejectionStyle::Soft);
    let _full = manager.connect(user("ann")).unwrap();
    for handshake in [user("ann"), user("bob")] {
        let answer = manager.connect(handshake).unwrap_err().response();
        assert_eq!(
            (answer.status, header(&answer, "content-type")),
            (200, Some("text/event-stream"))
        );
        assert_eq!(header(&answer, "retry-after"), None);
        let mut decoder = sse_testkit::Decoder::new();
        assert!(decoder.feed(&answer.body).is_empty());
        assert!((4000..=20_000).contains(&decoder.retry().unwrap()));
    }
    let answer = manager.connect(user("")).unwrap_err().response();
    assert_eq!(
        answer.status, 400,
        "a retry with an invalid name does not help"
    );
}

/// Every cause, and whether it is temporary. A new cause needs a new row:
/// `ConnectErrorKind::is_temporary` does not compile without it.
fn all_causes() -> Vec<(ConnectErrorKind, bool)> {
    let invalid = Handshake::new().user("");
    let invalid = Manager::builder()
        .build()
        .unwrap()
        .connect(invalid)
        .unwrap_err()
        .cause()
        .clone();
    vec![
        (invalid, false),
        (
            ConnectErrorKind::TooManyTopics {
                count: 2,
                requested: 2,
                limit: 1,
            },
            false,
        ),
        (
            ConnectErrorKind::MisspeltParameter {
                name: "topics[]".into(),
                known: "topics",
            },
            false,
        ),
        (ConnectErrorKind::RepeatedParameter("lastEventId"), false),
        (ConnectErrorKind::HeadersOnly, false),
        (ConnectErrorKind::Method, false),
        (ConnectErrorKind::Unauthenticated, false),
        (
            ConnectErrorKind::Forbidden(sse_core::Topic::new("t").unwrap()),
            false,
        ),
        (ConnectErrorKind::CrossSite(String::new()), false),
        (ConnectErrorKind::Banned, false),
        (ConnectErrorKind::Unavailable, true),
        (ConnectErrorKind::RateLimit, true),
        (ConnectErrorKind::UserLimit, true),
        (ConnectErrorKind::AddressLimit, true),
        (ConnectErrorKind::Starting, true),
        (ConnectErrorKind::Full, true),
        (ConnectErrorKind::ShuttingDown, true),
        (ConnectErrorKind::TooManyDialects, true),
    ]
}

#[test]
fn no_temporary_cause_is_final_for_an_event_source() {
    let known: std::collections::BTreeSet<_> = all_causes()
        .iter()
        .map(|(cause, _)| cause.as_str())
        .collect();
    let counted = Manager::builder().build().unwrap().stats().counters.refused;
    assert_eq!(
        known,
        counted.iter().map(|(name, _)| name).collect(),
        "the table lacks a cause"
    );
    for form in [
        RejectionStyle::Auto,
        RejectionStyle::Status,
        RejectionStyle::Soft,
    ] {
        let manager = Manager::builder().refusal(form).build().unwrap();
        for (cause, is_temporary) in all_causes() {
            assert_eq!(cause.is_temporary(), is_temporary, "{cause:?}");
            for (accept, is_event_source) in [
                (&[][..], false),
                (&[&b"text/event-stream"[..]], true),
                (&[b"*/*"], false),
                (&[b"text/event-stream, */*;q=0.1"], false),
                (&[b"text/event-stream", b"*/*"], false),
            ] {
                let handshake =
                    Handshake::from_request("GET", None, None).accept(accept.iter().copied());
                let refused = manager
                    .connect(handshake.refuse(cause.clone()))
                    .unwrap_err();
                let answer = refused.response();
                let is_soft = is_temporary
                    && match form {
                        RejectionStyle::Auto => is_event_source,
                        RejectionStyle::Status => false,
                        RejectionStyle::Soft => true,
                    };
                let shown = format!("{form:?} {cause:?} {accept:?} {answer:?}");
                if is_soft {
                    let mut decoder = sse_testkit::Decoder::new();
                    assert!(decoder.feed(&answer.body).is_empty(), "{shown}");
                    assert_eq!(answer.status, 200, "{shown}");
                    assert_eq!(
                        header(&answer, "content-type"),
                        Some("text/event-stream"),
                        "{shown}"
                    );
                    assert!(
                        (3000..=15_000).contains(&decoder.retry().unwrap()),
                        "{shown}"
                    );
                    let body = std::str::from_utf8(&answer.body).unwrap();
                    assert!(body.contains(&format!(": {cause}\n")), "{shown}");
                } else {
                    assert_eq!(matches!(answer.status, 429 | 503), is_temporary, "{shown}");
                    assert_eq!(
                        header(&answer, "retry-after").is_some(),
                        is_temporary,
                        "{shown}"
                    );
                }
            }
        }
    }
}

#[test]
fn only_event_streams_are_accepted_by_an_event_source() {
    let manager = Manager::builder().build().unwrap();
    for (accept, is_event_source) in [
        ("text/event-stream", true),
        ("Text/Event-Stream", true),
        (" text/event-stream\t", true),
        ("text/event-stream;q=0.9", true),
        ("text/event-stream; charset=utf-8", true),
        ("text/event-stream,", true),
        ("text/event-stream, text/event-stream;q=0.5", true),
        ("", false),
        (",", false),
        ("*/*", false),
        ("text/*", false),
        ("text/event-stream2", false),
        ("text/event-stream, text/plain;q=0.5", false),
        ("application/json, text/event-stream", false),
        ("\u{e4}", false),
    ] {
        let handshake = Handshake::new()
            .accept([accept.as_bytes()])
            .refuse(ConnectErrorKind::Full);
        let status = manager.connect(handshake).unwrap_err().response().status;
        assert_eq!(
            status,
            if is_event_source { 200 } else { 503 },
            "{accept:?}"
        );
    }
}

#[test]
fn rejected_clients_return_spread_over_time() {
    for retry in [Duration::ZERO, Duration::from_secs(3)] {
        let manager = Manager::builder().retry(retry).build().unwrap();
        let least = retry.max(Duration::from_secs(1));
        let delays: Vec<_> = (0..1000).map(|_| manager.retry_delay()).collect();
        assert!(
            delays
                .iter()
                .all(|delay| (least..=least * 5).contains(delay)),
            "{delays:?}"
        );
        let early = delays.iter().filter(|delay| **delay < least * 2).count();
        assert!(
            (100..500).contains(&early),
            "{early} of 1,000 in the first quarter"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn banned_user_is_rejected_until_the_ban_ends() {
    let manager = Manager::builder().build().unwrap();
    let mut ann = Client::greeted(&manager, user("ann"));
    let ann_target = || Target::User(UserId::new("ann").unwrap());
    let how = DisconnectOptions::new()
        .with_reason("behave")
        .with_ban_for(Duration::from_secs(60));
    assert_eq!(manager.disconnect(ann_target(), how).await, 1);
    let (name, data) = farewell(&mut ann);
    assert_eq!(
        (name.as_str(), data),
        (
            "disconnected",
            serde_json::json!({ "reason": "behave", "reconnect": false })
        )
    );
    let refused = manager.connect(user("ann")).unwrap_err();
    assert_eq!(
        (refused.cause(), refused.response().status),
        (&ConnectErrorKind::Banned, 204)
    );
    assert!(manager.connect(user("bob")).is_ok());
    sleep(Duration::from_millis(59_990)).await;
    assert_eq!(
        cause(manager.connect(user("ann"))),
        ConnectErrorKind::Banned
    );
    sleep(Duration::from_millis(20)).await;
    assert!(manager.connect(user("ann")).is_ok());

    // The first client to return returns after weeks.
    drop(ann);
    manager
        .disconnect(
            ann_target(),
            DisconnectOptions::new().with_ban_for(Duration::from_secs(60)),
        )
        .await;
    sleep(Duration::from_secs(26 * 24 * 60 * 60)).await;
    assert!(manager.connect(user("ann")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn longest_ban_ends() {
    let manager = Manager::builder().build().unwrap();
    let ann_target = Target::User(UserId::new("ann").unwrap());
    manager
        .disconnect(
            ann_target,
            DisconnectOptions::new().with_ban_for(Duration::MAX),
        )
        .await;
    sleep(Duration::from_secs(20 * 24 * 60 * 60 - 1)).await;
    assert_eq!(
        cause(manager.connect(user("ann"))),
        ConnectErrorKind::Banned
    );
    sleep(Duration::from_secs(2)).await;
    assert!(manager.connect(user("ann")).is_ok());
}

#[tokio::test]
async fn streams_are_ended_by_target() {
    let heard = Heard::default();
    let manager = Manager::builder().hooks(heard.clone()).build().unwrap();
    let mut clients: Vec<_> = (0..300)
        .map(|number| Client::greeted(&manager, user(&(number % 2).to_string()).topic("t")))
        .collect();
    let one = clients[0].id();
    assert_eq!(manager.disconnect(one, DisconnectOptions::new()).await, 1);
    assert_eq!(
        manager.disconnect(one, DisconnectOptions::new()).await,
        0,
        "the stream is ending"
    );
    assert_eq!(farewell(&mut clients[0]).1["reason"], "kicked");
    assert_eq!(
        manager
            .disconnect(UserId::new("1").unwrap(), DisconnectOptions::new())
            .await,
        150
    );
    assert_eq!(manager.stats().total_connections, 149);
    assert_eq!(
        manager
            .disconnect(
                Target::All,
                DisconnectOptions::new().with_reason("x\ny\u{2028}")
            )
            .await,
        149
    );
    assert_eq!(farewell(&mut clients[2]).1["reason"], "x\ny\u{2028}");
    assert!(clients.iter().all(|client| {
        manager
            .join(client.id(), &sse_core::Topic::new("u").unwrap())
            .is_err()
    }));
    clients.clear();
    assert_eq!(heard.reasons(), [DisconnectReason::Kicked; 300]);
    let drained = manager.shutdown(ShutdownOptions::default()).await;
    assert_eq!((drained.ended, drained.left), (0, 0));
}

#[test]
fn addresses_of_one_ipv6_network_count_as_one() {
    let manager = Manager::builder()
        .max_connections_per_address(1, LimitPolicy::Refuse)
        .build()
        .unwrap();
    let from = |address: &str| manager.connect(Handshake::new().address(address.parse().unwrap()));
    let _first = from("2001:db8:1:2::1").unwrap();
    assert_eq!(
        from("2001:db8:1:2:ffff::2").unwrap_err().cause(),
        &ConnectErrorKind::AddressLimit
    );
    let _others =
        ["2001:db8:1:3::1", "203.0.113.1", "203.0.113.2"].map(|address| from(address).unwrap());
    assert_eq!(
        from("::ffff:203.0.113.1").unwrap_err().cause(),
        &ConnectErrorKind::AddressLimit
    );
}
