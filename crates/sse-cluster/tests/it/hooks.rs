//! Users that come on-line and go off-line.

use std::time::Duration;

use sse_cluster::{Cluster, ClusterConfig, PresenceHooks};
use sse_core::{Handshake, Manager, UserId};
use tokio::time::sleep;

use crate::support::{GRACE, Heard, LATER, Node, SOON, TERM, memory};

#[tokio::test(start_paused = true)]
async fn each_node_calls_hooks_for_first_and_last_stream() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let first = one.connect("ada");
    sleep(SOON).await;
    let second = two.connect("ada");
    sleep(SOON).await;
    for node in [&one, &two] {
        assert_eq!(node.heard.take(), ["+ada"]);
    }
    drop(first);
    sleep(GRACE * 2).await;
    for node in [&one, &two] {
        assert_eq!(node.heard.take(), [""; 0], "there is another stream");
    }
    drop(second);
    sleep(GRACE - SOON).await;
    for node in [&one, &two] {
        assert_eq!(node.heard.take(), [""; 0], "the grace is not over");
    }
    sleep(SOON * 2).await;
    for node in [&one, &two] {
        assert_eq!(node.heard.take(), ["-ada"]);
    }
}

#[tokio::test(start_paused = true)]
async fn reconnect_within_grace_calls_no_hook_on_any_node() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let mut stream = one.connect("ada");
    sleep(SOON).await;
    for turn in 0..10 {
        drop(stream);
        sleep(GRACE / 2).await;
        stream = if turn % 2 == 0 {
            two.connect("ada")
        } else {
            one.connect("ada")
        };
        sleep(SOON).await;
    }
    for node in [&one, &two] {
        assert_eq!(node.heard.take(), ["+ada"]);
    }
    drop(stream);
    sleep(GRACE + SOON).await;
    for node in [&one, &two] {
        assert_eq!(node.heard.take(), ["-ada"]);
    }
}

#[tokio::test(start_paused = true)]
async fn users_of_crashed_node_go_offline_after_lease_grace() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let (_gone, _both) = (one.connect("ada"), (one.connect("ben"), two.connect("ben")));
    sleep(SOON).await;
    assert_eq!(two.heard.take(), ["+ada", "+ben"]);
    one.crash();
    sleep(TERM / 2 + GRACE).await;
    assert_eq!(
        two.heard.take(),
        [""; 0],
        "the user is off-line before the end of the grace"
    );
    sleep(TERM).await;
    assert_eq!(two.heard.take(), ["-ada"]);
}

#[tokio::test(start_paused = true)]
async fn starting_node_calls_online_for_present_users() {
    let memory = memory();
    let one = Node::start(&memory).await;
    let _stream = one.connect("ada");
    sleep(SOON).await;
    let two = Node::start(&memory).await;
    sleep(LATER).await;
    assert_eq!(two.heard.take(), ["+ada"]);
    assert_eq!(one.heard.take(), ["+ada"]);
}

#[tokio::test(start_paused = true)]
async fn restart_within_grace_calls_no_hook() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let stream = one.connect("ada");
    sleep(SOON).await;
    assert_eq!(two.heard.take(), ["+ada"]);
    one.cluster.shutdown().await;
    drop((stream, one));
    let again = Node::start(&memory).await;
    let _stream = again.connect("ada");
    sleep(LATER).await;
    assert_eq!(two.heard.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn lone_manager_calls_hooks() {
    let manager = Manager::builder().build().unwrap();
    let before = manager.connect(Handshake::new().user("ada")).unwrap();
    let heard = Heard::default();
    let config = ClusterConfig::new()
        .hooks(heard.clone())
        .grace(Duration::from_secs(1));
    let _cluster = Cluster::start(&manager, config);
    sleep(SOON).await;
    assert_eq!(heard.take(), ["+ada"]);
    drop(before);
    sleep(SOON).await;
    assert_eq!(heard.take(), [""; 0]);
    sleep(SOON * 3).await;
    assert_eq!(heard.take(), ["-ada"]);
}

/// Hooks that panic for some users.
struct Fragile(Heard);

impl PresenceHooks for Fragile {
    fn online(&self, user: &UserId) {
        assert_ne!(user.as_str(), "ada", "on purpose");
        self.0.online(user);
    }
}

#[tokio::test(start_paused = true)]
async fn panicking_hook_is_called_for_others() {
    let manager = Manager::builder().build().unwrap();
    let heard = Heard::default();
    let _cluster = Cluster::start(&manager, ClusterConfig::new().hooks(Fragile(heard.clone())));
    let _streams = ["ada", "ben"].map(|user| manager.connect(Handshake::new().user(user)).unwrap());
    sleep(SOON).await;
    let _later = manager.connect(Handshake::new().user("cy")).unwrap();
    sleep(SOON).await;
    assert_eq!(heard.take(), ["+ben", "+cy"]);
}
