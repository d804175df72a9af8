//! Of several appends with one key, one takes effect.

use tokio::task::JoinSet;

use crate::backplane::{
    Broker,
    follow::{append, append_numbered, beginning, keyed, read_all, texts, try_append},
    stage::start,
};

pub async fn a_key_counts_once<B: Broker>() {
    let Some(broker) = start::<B>().await else { return };
    let (node, other) = (broker.node().await, broker.node().await);
    let first = try_append(&node, keyed("first", "key")).await.expect("an append");
    assert!(!first.duplicate);
    append_numbered(&node, "between", 3).await;
    for node in [&node, &other] {
        let again = try_append(node, keyed("second", "key")).await.expect("an append");
        assert!(again.duplicate, "a key counts twice");
        assert_eq!(again.cursor, first.cursor);
    }
    let another = try_append(&other, keyed("third", "another key")).await.expect("an append");
    assert!(!another.duplicate && another.cursor.position > first.cursor.position);
    let last = append(&node, "last").await;
    assert!(last.position > another.cursor.position);
    let all = read_all(&node, &beginning(&node).await).await;
    assert_eq!(texts(&all), ["first", "between/0", "between/1", "between/2", "third", "last"]);
}

pub async fn a_key_counts_once_from_all_nodes_at_once<B: Broker>() {
    const KEYS: usize = 30;
    let Some(broker) = start::<B>().await else { return };
    let nodes = [broker.node().await, broker.node().await, broker.node().await];
    let start = beginning(&nodes[0]).await;
    for key in 0..KEYS {
        let mut appends = JoinSet::new();
        for attempt in 0..6 {
            let node = nodes[attempt % nodes.len()].clone();
            let entry = keyed(key.to_string(), &format!("key {key}"));
            appends.spawn(async move { try_append(&node, entry).await.expect("an append") });
        }
        let appended = appends.join_all().await;
        assert_eq!(appended.iter().filter(|appended| !appended.duplicate).count(), 1, "{appended:?}");
        assert!(appended.iter().all(|other| other.cursor == appended[0].cursor), "{appended:?}");
    }
    let expected: Vec<_> = (0..KEYS).map(|key| key.to_string()).collect();
    assert_eq!(texts(&read_all(&nodes[0], &start).await), expected);
}

pub async fn a_dropped_append_with_a_key_may_be_tried_again<B: Broker>() {
    const KEYS: u64 = 60;
    let Some(broker) = start::<B>().await else { return };
    let node = broker.node().await;
    let start = beginning(&node).await;
    for key in 0..KEYS {
        let wait = std::time::Duration::from_micros(key * 61 % 1_500);
        let entry = keyed(key.to_string(), &format!("key {key}"));
        let _ = tokio::time::timeout(wait, node.append(entry.clone())).await;
        try_append(&node, entry).await.expect("an append");
    }
    let expected: Vec<_> = (0..KEYS).map(|key| key.to_string()).collect();
    assert_eq!(texts(&read_all(&node, &start).await), expected);
}

pub async fn any_text_of_1_to_128_bytes_is_a_key<B: Broker>() {
    let Some(broker) = start::<B>().await else { return };
    let node = broker.node().await;
    let keys = [
        "k".to_owned(),
        " ".to_owned(),
        "K".to_owned(),
        "k".repeat(127),
        "k".repeat(128),
        "line\r\nbreak: x\n\n".to_owned(),
        "nul\0".to_owned(),
        "*.>{}:$\"'\\%".to_owned(),
        "schlüssel 🗝 ключ".to_owned(),
    ];
    let mut cursors = Vec::new();
    for key in &keys {
        let appended = try_append(&node, keyed(key, key)).await.expect("an append");
        assert!(!appended.duplicate, "{key:?} is taken for another key");
        cursors.push(appended.cursor);
    }
    for (key, cursor) in keys.iter().zip(&cursors) {
        let appended = try_append(&node, keyed("again", key)).await.expect("an append");
        assert!(appended.duplicate && appended.cursor == *cursor, "{key:?}: {appended:?}");
    }
    assert_eq!(texts(&read_all(&node, &beginning(&node).await).await), keys);
}
