//! Reconnecting clients, tested against a scripted server.

use std::time::Duration;

use sse_chaos::{
    Client, ClientRequest, Departure, Gap, GapReason, Loss, Observation, Phase, StopReason,
};
use sse_testkit::Proxy;
use tokio::time::sleep;

use crate::server::{Answer, Scripted, raw, silence, status, stream, until};
use crate::story::{event, id};

/// Creates a client with short delays.
fn hasty(server: &Scripted) -> ClientRequest {
    ClientRequest::get(server.address, "/events?topics=a")
        .backoff(Duration::from_millis(20), Duration::from_millis(50))
}

async fn stopped(client: Client) -> Vec<Observation> {
    client
        .stop()
        .await
        .entries()
        .map(|entry| entry.observation)
        .collect()
}

/// Waits until the client has received `count` app events.
async fn events(client: &Client, count: u64) {
    until("events", || client.status().events >= count).await;
}

async fn end(client: &Client) -> StopReason {
    until("the end", || {
        matches!(client.status().phase, Phase::Stopped(_))
    })
    .await;
    let Phase::Stopped(stop) = client.status().phase else {
        panic!("{:?}", client.status())
    };
    stop
}

/// Returns the observations of a client of a scripted server whose last answer is a stream with the
/// event 99.
async fn observed(answers: impl IntoIterator<Item = Answer>) -> Vec<Observation> {
    let last = stream("id: z-99\ndata: 99\n\n");
    let server = Scripted::start(answers.into_iter().chain([last]).collect()).await;
    let client = hasty(&server).start();
    until("the last event", || client.status().last_event_id == "z-99").await;
    stopped(client).await
}

fn losses(observations: &[Observation]) -> Vec<Loss> {
    let loss = |observation: &Observation| {
        if let Observation::Lost(loss) = observation {
            Some(*loss)
        } else {
            None
        }
    };
    observations.iter().filter_map(loss).collect()
}

#[tokio::test]
async fn client_sends_its_request_and_reads_events() {
    let text = concat!(
        "retry: 20\nid: e-7\nevent: connection\ndata: {\"status\":\"connected\",\"resumed\":true,\"heartbeatMs\":60000}\n\n",
        "event: heartbeat\nid: e-7\ndata: {}\n\n",
        "event: heartbeat\nid: e-8\ndata: {}\n\n",
        "id: e-9\ndata: 1\n\n",
        "id: e-5.1\nevent: mine\ndata: {\"number\":2,\"more\":[]}\n\n",
        "id: e-10\nevent: system\ndata: {\"event\":\"mine\",\"number\":3}\n\n",
        "data: none\n\n",
        "event: system\ndata: {\"event\":\"degraded\",\"data\":{\"reason\":\"backplane\"}}\n\n",
        "event: system\nid: f-2\ndata: {\"event\":\"gap\",\"data\":{\"reason\":\"epoch\",\"dropped\":null,\"from\":\"e-10\",\"to\":\"f-2\"}}\n\n",
        "event: system\ndata: {\"event\":\"gap\",\"data\":{\"reason\":\"overflow\",\"dropped\":3,\"from\":null,\"to\":null}}\n\n",
        "event: system\nid: f-3\ndata: {\"event\":\"restored\",\"data\":{}}\n\n",
        "id: no position\ndata: 4\n\n",
    );
    let mut server = Scripted::start(vec![stream(text)]).await;
    let client = hasty(&server)
        .header("Authorization", "Bearer x")
        .last_event_id("e-7")
        .start();
    let request = server.request().await;
    assert!(
        request
            .head
            .starts_with("GET /events?topics=a HTTP/1.1\r\n"),
        "{request:?}"
    );
    assert_eq!(request.field("accept"), Some("text/event-stream"));
    assert_eq!(request.field("authorization"), Some("Bearer x"));
    assert_eq!(request.field("last-event-id"), Some("e-7"));
    events(&client, 5).await;
    let status = client.status();
    assert_eq!(
        (status.phase, status.connects, status.gaps),
        (Phase::Open, 1, 2)
    );
    assert_eq!(status.last_event_id, "no position");
    assert_eq!(client.journal().events(), 5);
    let gap = |reason, dropped, from: Option<&str>, to: Option<&str>| {
        Observation::Gap(Gap {
            reason,
            dropped,
            from: from.map(id),
            to: to.map(id),
        })
    };
    let expected = [
        Observation::Connected {
            id: Some(id("e-7")),
            resumed: true,
        },
        Observation::Moved { id: id("e-8") },
        event(1, "e-9"),
        event(2, "e-5.1"),
        event(3, "e-10"),
        Observation::Event {
            number: None,
            id: Some(id("e-10")),
        },
        Observation::Degraded,
        gap(GapReason::Epoch, None, Some("e-10"), Some("f-2")),
        gap(GapReason::Overflow, Some(3), None, None),
        Observation::Moved { id: id("f-3") },
        Observation::Restored,
        Observation::Event {
            number: Some(4),
            id: None,
        },
        Observation::Lost(Loss::Dropped),
        Observation::Stopped(StopReason::Asked),
    ];
    assert_eq!(stopped(client).await, expected);
}

#[tokio::test]
async fn client_returns_with_the_last_complete_id() {
    let mut server = Scripted::start(vec![
        stream("id: e-1\ndata: 1\n\nid: e-2\ndata: 2").closed(),
        stream("data: 3\n\nid: e-4\n\nid: e-5\ndata: 5\n").closed(),
        stream("id\ndata: 6\n\n").closed(),
        stream("id: \u{1f980}\ndata: 7\n\n").closed(),
        stream("id: a\0b\ndata: 8\n\n").closed(),
        stream("data: 9\n\n"),
    ])
    .await;
    let client = hasty(&server).start();
    for expected in [
        None,
        Some("e-1"),
        Some("e-4"),
        None,
        Some("\u{1f980}"),
        Some("\u{1f980}"),
    ] {
        let request = server.request().await;
        assert_eq!(request.field("last-event-id"), expected);
    }
    events(&client, 6).await;
    let observations = stopped(client).await;
    let ids = observations
        .iter()
        .filter_map(|observation| match observation {
            Observation::Event {
                number: Some(number),
                id,
            } => Some((*number, id.as_ref().map(ToString::to_string))),
            Observation::Moved { id } => Some((0, Some(id.to_string()))),
            _ => None,
        });
    let at = |id: &str| Some(id.to_owned());
    let expected = [
        (1, at("e-1")),
        (3, at("e-1")),
        (0, at("e-4")),
        (6, None),
        (7, None),
        (8, None),
        (9, None),
    ];
    assert_eq!(ids.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn client_waits_for_the_servers_retry() {
    let mut server = Scripted::start(vec![
        stream("retry: 300\ndata: 1\n\n").closed(),
        status(503, "Retry-After: 1\r\n"),
        stream("data: 2\n\n"),
    ])
    .await;
    let client = hasty(&server).start();
    let (first, second, third) = (
        server.request().await,
        server.request().await,
        server.request().await,
    );
    assert!(
        second.at - first.at >= Duration::from_millis(300),
        "{:?}",
        second.at - first.at
    );
    assert!(
        third.at - second.at >= Duration::from_secs(1),
        "{:?}",
        third.at - second.at
    );
    events(&client, 2).await;
    assert_eq!(
        losses(&stopped(client).await),
        [Loss::Ended, Loss::Refused(503), Loss::Dropped]
    );
}

#[tokio::test]
async fn client_reconnects_after_every_loss() {
    let chunked =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let event = "b\r\ndata: \"1\"\n\n\r\n";
    let cases = [
        (stream("data: 1\n\n").closed(), Loss::Ended),
        (raw(&format!("{chunked}{event}0\r\n\r\n")), Loss::Ended),
        (raw(&format!("{chunked}{event}")).closed(), Loss::Broken),
        (
            raw(&format!("{chunked}{event}no size\r\n")),
            Loss::Malformed,
        ),
        (stream("data: 1\n\n").reset(), Loss::Broken),
        (raw("").closed(), Loss::Broken),
        (raw("HTTP/1.1 200 OK\r\nContent-").closed(), Loss::Broken),
        (status(408, ""), Loss::Refused(408)),
        (status(425, ""), Loss::Refused(425)),
        (status(429, ""), Loss::Refused(429)),
        (status(500, ""), Loss::Refused(500)),
        (status(503, ""), Loss::Refused(503)),
    ];
    let (answers, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let observations = observed(answers).await;
    assert_eq!(
        losses(&observations).split_last(),
        Some((&Loss::Dropped, &*expected))
    );
}

#[tokio::test]
async fn client_stops_after_permanent_rejections() {
    let html = raw("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n");
    let ban_for = "event: system\ndata: {\"event\":\"disconnected\",\"data\":{\"reason\":\"kicked\",\"reconnect\":false}}\n\n";
    let cases = [
        (status(204, ""), StopReason::Refused(204)),
        (status(301, "Location: /\r\n"), StopReason::Refused(301)),
        (status(400, ""), StopReason::Refused(400)),
        (status(401, ""), StopReason::Refused(401)),
        (status(403, ""), StopReason::Refused(403)),
        (html, StopReason::NotAStream),
        (stream(ban_for), StopReason::Banned),
    ];
    for (answer, expected) in cases {
        let mut server = Scripted::start(vec![answer]).await;
        let client = hasty(&server).start();
        server.request().await;
        assert_eq!(end(&client).await, expected);
        // Whatever the test orders now.
        client.drop_connection(Departure::Reset);
        client.pause(Departure::Close);
        client.unpause();
        assert_eq!(
            stopped(client).await.last(),
            Some(&Observation::Stopped(expected))
        );
    }
    let again = "event: system\ndata: {\"event\":\"disconnected\",\"data\":{\"reason\":\"replaced\",\"reconnect\":true}}\n\n";
    assert_eq!(
        losses(&observed([stream(again).closed()]).await)[0],
        Loss::Ended
    );
}

#[tokio::test]
async fn client_detects_silence() {
    let hello = "event: connection\ndata: {\"heartbeatMs\":40}\n\n";
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-SSE-Heartbeat-Ms: 40\r\n\r\n";
    for answer in [stream(hello), raw(head)] {
        assert_eq!(
            losses(&observed([answer]).await),
            [Loss::Stale, Loss::Dropped]
        );
    }
    let mut server = Scripted::start(vec![stream(""), stream("data: 1\n\n")]).await;
    let client = hasty(&server).stale_after(Duration::from_secs(1)).start();
    server.request().await;
    events(&client, 1).await;
    assert_eq!(losses(&stopped(client).await)[0], Loss::Stale);
}

#[tokio::test]
async fn comment_resets_the_silence_timeout() {
    let server = Scripted::start(vec![stream("data: 1\n\n").repeating(":\n")]).await;
    // Many times the server's pause, so that a busy machine is not taken for a dead server.
    let client = hasty(&server).stale_after(Duration::from_secs(3)).start();
    events(&client, 1).await;
    sleep(Duration::from_millis(6500)).await;
    assert_eq!(losses(&stopped(client).await), [Loss::Dropped]);
}

#[tokio::test]
async fn client_gives_up_on_a_silent_server() {
    let server = Scripted::start(vec![silence(), stream("data: 1\n\n")]).await;
    let client = hasty(&server)
        .connect_timeout(Duration::from_secs(1))
        .start();
    events(&client, 1).await;
    assert_eq!(losses(&stopped(client).await)[0], Loss::Unreachable);
}

#[tokio::test]
async fn client_detects_a_half_open_connection() {
    let text = "event: connection\nid: e-1\ndata: {\"heartbeatMs\":400}\n\n";
    let mut server = Scripted::start(vec![stream(text).repeating(":\n")]).await;
    let proxy = Proxy::to(server.address).await.unwrap();
    let client = ClientRequest::get(proxy.address(), "/")
        .backoff(Duration::from_millis(20), Duration::from_millis(50))
        .connect_timeout(Duration::from_secs(2))
        .start();
    until("a stream", || client.status().connects >= 1).await;
    server.request().await;
    proxy.freeze();
    until("its loss", || losses_of(&client).contains(&Loss::Stale)).await;
    // During the pause, connections are made without any result.
    until("an attempt in vain", || {
        losses_of(&client).contains(&Loss::Unreachable)
    })
    .await;
    proxy.thaw();
    until("another stream", || client.status().connects >= 2).await;
    let observations = stopped(client).await;
    assert!(
        matches!(observations[0], Observation::Connected { .. }),
        "{observations:?}"
    );
}

fn losses_of(client: &Client) -> Vec<Loss> {
    losses(
        &client
            .journal()
            .entries()
            .map(|entry| entry.observation)
            .collect::<Vec<_>>(),
    )
}

#[tokio::test]
async fn client_can_be_redirected_while_disconnected() {
    let closed_address = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let server = Scripted::start(vec![stream("data: 1\n\n")]).await;
    let client = ClientRequest::get(closed_address, "/")
        .backoff(Duration::from_millis(20), Duration::from_millis(20))
        .start();
    until("failures", || losses_of(&client).len() >= 2).await;
    client.set_address(server.address);
    events(&client, 1).await;
    assert_eq!(losses(&stopped(client).await)[0], Loss::Unreachable);
}

#[tokio::test]
async fn connection_can_be_dropped_in_each_way() {
    let mut server =
        Scripted::start(vec![stream("event: connection\nid: e-1\ndata: {}\n\n")]).await;
    let client = hasty(&server).start();
    for (round, departure) in (1..).zip([Departure::Close, Departure::Reset, Departure::Vanish]) {
        until("a stream", || client.status().connects == round).await;
        client.drop_connection(departure);
        server.request().await;
    }
    until("a stream", || client.status().connects == 4).await;
    assert_eq!(losses(&stopped(client).await), [Loss::Dropped; 4]);
}

#[tokio::test]
async fn vanished_client_stays_connected_for_the_server() {
    let server = Scripted::start(vec![stream("event: connection\ndata: {}\n\n")]).await;
    let proxy = Proxy::to(server.address).await.unwrap();
    let client = ClientRequest::get(proxy.address(), "/")
        .backoff(Duration::from_millis(20), Duration::from_millis(20))
        .start();
    for (round, departure, open) in [
        (1, Departure::Vanish, 2),
        (2, Departure::Vanish, 2),
        (3, Departure::Close, 2),
        (4, Departure::Reset, 2),
    ] {
        until("a stream", || client.status().connects == round).await;
        client.drop_connection(departure);
        until("the next stream", || client.status().connects == round + 1).await;
        until("as many connections", || proxy.open() == open).await;
    }
    client.stop().await;
    until("no connection", || proxy.open() == 0).await;
}

#[tokio::test]
async fn a_pause_lasts_until_it_is_ended() {
    let mut server =
        Scripted::start(vec![stream("event: connection\nid: e-1\ndata: {}\n\n")]).await;
    let client = hasty(&server).start();
    until("a stream", || client.status().connects == 1).await;
    server.request().await;
    client.pause(Departure::Reset);
    until("the pause", || client.status().phase == Phase::Paused).await;
    client.drop_connection(Departure::Close);
    client.pause(Departure::Close);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(
        (client.status().phase, client.status().connects),
        (Phase::Paused, 1)
    );
    client.unpause();
    client.unpause();
    until("a stream", || client.status().connects == 2).await;
    assert_eq!(server.request().await.field("last-event-id"), Some("e-1"));
    let connected = Observation::Connected {
        id: Some(id("e-1")),
        resumed: false,
    };
    let expected = [
        connected.clone(),
        Observation::Lost(Loss::Dropped),
        Observation::Paused,
        Observation::Unpaused,
        connected,
        Observation::Lost(Loss::Dropped),
        Observation::Stopped(StopReason::Asked),
    ];
    assert_eq!(stopped(client).await, expected);
}

#[tokio::test]
async fn ending_a_pause_ends_a_long_wait() {
    let mut server = Scripted::start(vec![
        stream("retry: 3600000\ndata: 1\n\n").closed(),
        stream("event: connection\ndata: {}\n\n"),
    ])
    .await;
    let client = hasty(&server).start();
    server.request().await;
    until("the wait", || client.status().phase == Phase::Waiting).await;
    client.drop_connection(Departure::Reset);
    client.pause(Departure::Close);
    client.unpause();
    until("a stream", || client.status().connects == 1).await;
    client.stop().await;
}

#[tokio::test]
async fn number_is_read_from_the_given_place() {
    let server = Scripted::start(vec![stream("data: n=5\n\n")]).await;
    let client = hasty(&server)
        .numbered_by(|event| {
            event
                .data
                .strip_prefix("n=")
                .and_then(|number| number.parse().ok())
        })
        .start();
    events(&client, 1).await;
    assert_eq!(
        stopped(client).await[0],
        Observation::Event {
            number: Some(5),
            id: None
        }
    );
}

#[tokio::test]
async fn dropping_a_client_ends_its_connection() {
    let server = Scripted::start(vec![stream("event: connection\ndata: {}\n\n")]).await;
    let proxy = Proxy::to(server.address).await.unwrap();
    let client = ClientRequest::get(proxy.address(), "/").start();
    until("a stream", || client.status().connects == 1).await;
    drop(client);
    until("its end", || proxy.open() == 0).await;
}
