//! Operations on streams of any node.

use std::time::Duration;

use sse_core::{
    Caller, ConnectErrorKind, DisconnectOptions, Event, Handshake, LoginId, RenewError, Target,
    Topic, backplane::unix_ms,
};
use tokio::time::sleep;

use crate::support::{LATER, Node, SOON, TERM, memory, user};

fn topics(names: &[&str]) -> Vec<Topic> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn stream_is_found_on_any_node() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let stream = two.connect("ada");
    let id = stream.client_id();
    for node in [&one, &two] {
        let found = node.cluster.connection(id).await;
        assert_eq!(found.value, two.manager.connection(id));
        assert_eq!(
            (found.node, found.complete),
            (Some(two.cluster.node()), true)
        );
    }
    drop(stream);
    let found = one.cluster.connection(id).await;
    assert_eq!(
        (found.value, found.node, found.complete),
        (None, None, true)
    );
    two.way.set_away(true);
    sleep(SOON).await;
    let found = one.cluster.connection(id).await;
    assert_eq!((found.value, found.complete), (None, false));
    assert_eq!(found.unanswered, [two.cluster.node()]);
}

#[tokio::test(start_paused = true)]
async fn stream_joins_and_leaves_topics_on_any_node() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let stream = two.manager.connect(Handshake::new().topic("a")).unwrap();
    let id = stream.client_id();
    let joined = one.cluster.join(id, &topics(&["a", "b", "c"])).await;
    assert_eq!(
        (joined.value, joined.complete),
        (Some(2), true),
        "the stream was in one of the topics"
    );
    let left = one.cluster.leave(id, &topics(&["a", "x"])).await;
    assert_eq!(left.value, Some(1));
    let mut in_topics = two.manager.connection(id).unwrap().topics;
    in_topics.sort();
    assert_eq!(in_topics, topics(&["b", "c"]));
    drop(stream);
    assert_eq!(one.cluster.join(id, &topics(&["a"])).await.value, None);
    assert_eq!(one.cluster.leave(id, &topics(&["a"])).await.value, None);
}

#[tokio::test(start_paused = true)]
async fn stream_is_renewed_on_any_node() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let stream = two.connect("ada");
    let id = stream.client_id();
    let mut caller = Caller::user(user("ada"));
    caller.expires_at = Some(unix_ms() + 60_000);
    assert_eq!(one.cluster.renew(id, &caller).await.value, Some(Ok(())));
    assert_eq!(two.cluster.renew(id, &caller).await.value, Some(Ok(())));
    caller.expires_at = Some(1);
    assert_eq!(
        one.cluster.renew(id, &caller).await.value,
        Some(Err(RenewError::Expired))
    );
    let other = Caller::user(user("ben"));
    assert_eq!(
        one.cluster.renew(id, &other).await.value,
        Some(Err(RenewError::OtherUser))
    );
    drop(stream);
    assert_eq!(one.cluster.renew(id, &other).await.value, None);
}

#[tokio::test(start_paused = true)]
async fn disconnect_ends_and_counts_streams_on_all_nodes() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _streams = [
        one.connect("ada"),
        two.connect("ada"),
        two.connect("ada"),
        two.connect("ben"),
    ];
    let ended = one
        .cluster
        .disconnect(user("ada"), DisconnectOptions::new().with_reason("bye"))
        .await;
    assert_eq!((ended.streams, ended.complete), (3, true));
    assert_eq!(
        (
            one.manager.count(&Target::All),
            two.manager.count(&Target::All)
        ),
        (0, 1)
    );
    let ended = one
        .cluster
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(ended.streams, 1);
    let _back = [one.connect("ada"), two.connect("ada")];
}

#[tokio::test(start_paused = true)]
async fn silent_node_is_named_in_disconnect() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _streams = [one.connect("ada"), two.connect("ada")];
    sleep(SOON).await;
    two.way.set_away(true);
    sleep(SOON).await;
    let ended = one
        .cluster
        .disconnect(user("ada"), DisconnectOptions::new())
        .await;
    assert_eq!((ended.streams, ended.complete), (1, false));
    assert_eq!(ended.unanswered, [two.cluster.node()]);
    one.way.set_away(true);
    sleep(SOON).await;
    let ended = one
        .cluster
        .disconnect(user("ada"), DisconnectOptions::new())
        .await;
    assert_eq!((ended.streams, ended.complete), (0, false));
}

fn is_refused(node: &Node, name: &str) -> bool {
    match node.manager.connect(Handshake::new().user(name)) {
        Ok(_) => false,
        Err(refused) => {
            assert_eq!(*refused.cause(), ConnectErrorKind::Banned);
            true
        }
    }
}

#[tokio::test(start_paused = true)]
async fn banned_user_is_rejected_by_all_and_later_nodes() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _stream = two.connect("ada");
    let minute = Duration::from_secs(60);
    let ended = one
        .cluster
        .disconnect(user("ada"), DisconnectOptions::new().with_ban_for(minute))
        .await;
    assert_eq!(ended.streams, 1);
    assert!(is_refused(&one, "ada") && is_refused(&two, "ada"));
    // The ban does not depend on the first node: the second node still has it, and the third
    // receives it from the second.
    one.cluster.shutdown().await;
    drop(one);
    let three = Node::start(&memory).await;
    sleep(LATER).await;
    assert!(is_refused(&three, "ada"));
    assert!(!is_refused(&three, "ben"));
    sleep(minute).await;
    assert!(!is_refused(&three, "ada") && !is_refused(&two, "ada"));
}

#[tokio::test(start_paused = true)]
async fn missed_ban_is_delivered_later() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    one.way.lose_signals(1);
    let how = DisconnectOptions::new().with_ban_for(Duration::from_secs(60));
    let ended = one.cluster.disconnect(user("ada"), how).await;
    assert!(!ended.complete);
    sleep(SOON).await;
    assert!(is_refused(&two, "ada"));
}

#[tokio::test(start_paused = true)]
async fn requests_are_served_while_events_are_published() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let stream = two.connect("ada");
    for number in 0..100 {
        one.manager
            .user("ada")
            .publish(Event::text(number.to_string()).ephemeral())
            .await
            .unwrap();
        assert!(
            one.cluster
                .connection(stream.client_id())
                .await
                .value
                .is_some()
        );
    }
    sleep(TERM).await;
    one.sees(1, 1, 2);
}

fn signed_in(login: u8) -> Handshake {
    let mut caller = Caller::user(user("ada"));
    caller.login = Some(LoginId::from_bytes([login; 16]));
    Handshake::new().caller(caller)
}

#[tokio::test(start_paused = true)]
async fn banned_client_is_rejected_by_all_nodes() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let minute = Duration::from_secs(60);
    let is_refused = |node: &Node, login| {
        let refused = node.manager.connect(signed_in(login)).err();
        refused
            .inspect(|refused| assert_eq!(*refused.cause(), ConnectErrorKind::Banned))
            .is_some()
    };
    for (holder, login) in [(&one, 1), (&two, 2)] {
        let stream = holder.manager.connect(signed_in(login)).unwrap();
        let ended = one
            .cluster
            .disconnect(
                stream.client_id(),
                DisconnectOptions::new().with_ban_for(minute),
            )
            .await;
        assert_eq!((ended.streams, ended.complete), (1, true));
        assert!(
            is_refused(&one, login) && is_refused(&two, login),
            "{login}"
        );
    }
    assert!(
        !is_refused(&one, 3) && !is_refused(&two, 3),
        "another browser of the user is banned"
    );
    // A node that starts later receives the ban from the existing nodes.
    let three = Node::start(&memory).await;
    sleep(LATER).await;
    assert!(is_refused(&three, 1) && is_refused(&three, 2) && !is_refused(&three, 3));
    sleep(minute).await;
    assert!(!is_refused(&three, 1) && !is_refused(&one, 2));
}

#[tokio::test(start_paused = true)]
async fn renewal_from_other_node_updates_login() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let stream = two.manager.connect(signed_in(1)).unwrap();
    let mut caller = Caller::user(user("ada"));
    caller.login = Some(LoginId::from_bytes([2; 16]));
    assert_eq!(
        one.cluster.renew(stream.client_id(), &caller).await.value,
        Some(Ok(()))
    );
    let found = one
        .cluster
        .connection(stream.client_id())
        .await
        .value
        .unwrap();
    assert_eq!(found.login_id, caller.login);
}
