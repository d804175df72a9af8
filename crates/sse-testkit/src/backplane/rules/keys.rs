//! Idempotency keys: of several appends with one key, one takes effect.

use sse_core::{
    access::KeyScope,
    backplane::BackplaneError,
    config::{KeyBound, KeyLimits},
};
use tokio::task::JoinSet;

use crate::backplane::{
    Broker,
    harness::start,
    helpers::{
        NodeHandle, append, append_numbered, beginning, keyed, read_all, scoped, texts, try_append,
        user,
    },
};

pub async fn a_key_counts_once<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    let first = try_append(&node, keyed("first", "key"))
        .await
        .expect("an append");
    assert!(!first.duplicate);
    append_numbered(&node, "between", 3).await;
    for node in [&node, &other] {
        let again = try_append(node, keyed("second", "key"))
            .await
            .expect("an append");
        assert!(again.duplicate, "a key counts twice");
        assert_eq!(again.cursor, first.cursor);
    }
    let another = try_append(&other, keyed("third", "another key"))
        .await
        .expect("an append");
    assert!(!another.duplicate && another.cursor.position > first.cursor.position);
    let last = append(&node, "last").await;
    assert!(last.position > another.cursor.position);
    let all = read_all(&node, &beginning(&node).await).await;
    assert_eq!(
        texts(&all),
        [
            "first",
            "between/0",
            "between/1",
            "between/2",
            "third",
            "last"
        ]
    );
}

pub async fn a_key_counts_once_from_all_nodes_at_once<B: Broker>() {
    const KEYS: usize = 30;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let nodes = [
        broker.node().await,
        broker.node().await,
        broker.node().await,
    ];
    let start = beginning(&nodes[0]).await;
    for key in 0..KEYS {
        let mut appends = JoinSet::new();
        for attempt in 0..6 {
            let node = nodes[attempt % nodes.len()].clone();
            let entry = keyed(key.to_string(), &format!("key {key}"));
            appends.spawn(async move { try_append(&node, entry).await.expect("an append") });
        }
        let appended = appends.join_all().await;
        assert_eq!(
            appended
                .iter()
                .filter(|appended| !appended.duplicate)
                .count(),
            1,
            "{appended:?}"
        );
        assert!(
            appended
                .iter()
                .all(|other| other.cursor == appended[0].cursor),
            "{appended:?}"
        );
    }
    let expected: Vec<_> = (0..KEYS).map(|key| key.to_string()).collect();
    assert_eq!(texts(&read_all(&nodes[0], &start).await), expected);
}

pub async fn dropped_append_with_a_key_can_be_retried<B: Broker>() {
    const KEYS: u64 = 60;
    let Some(broker) = start::<B>().await else {
        return;
    };
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
    let Some(broker) = start::<B>().await else {
        return;
    };
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
        let appended = try_append(&node, keyed("again", key))
            .await
            .expect("an append");
        assert!(
            appended.duplicate && appended.cursor == *cursor,
            "{key:?}: {appended:?}"
        );
    }
    assert_eq!(texts(&read_all(&node, &beginning(&node).await).await), keys);
}

pub async fn a_key_counts_in_its_scope_alone<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    // Names and keys that would be equal if they were joined with any of these separators.
    let scopes = [
        KeyScope::App,
        KeyScope::Anonymous,
        user("a"),
        user("a:"),
        user("a@b"),
        user("@"),
        user("b"),
    ];
    let keys = ["b", ":b", "@b", "a", "a:b", "@a", "\0", "🗝"];
    let mut written = Vec::new();
    for (number, scope) in scopes.iter().enumerate() {
        for key in keys {
            let text = format!("{number} {key}");
            let entry = scoped(&text, scope, key, KeyLimits::default());
            let appended = try_append(&node, entry).await.expect("an append");
            assert!(
                !appended.duplicate,
                "{scope:?} {key:?} is taken for the key of another scope"
            );
            written.push((scope, key, appended.cursor, text));
        }
    }
    for (scope, key, cursor, _) in &written {
        let again = scoped("again", scope, key, KeyLimits::default());
        let appended = try_append(&other, again).await.expect("an append");
        assert!(
            appended.duplicate && appended.cursor == *cursor,
            "{scope:?} {key:?}: {appended:?}"
        );
    }
    let expected: Vec<_> = written.iter().map(|(.., text)| text.clone()).collect();
    assert_eq!(
        texts(&read_all(&node, &beginning(&node).await).await),
        expected
    );
}

pub async fn a_bound_on_keys_refuses_and_forgets_nothing<B: Broker>() {
    let limits = KeyLimits::default()
        .per_user(10)
        .of_users(25)
        .of_backends(15);
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let (one, two, three) = (user("one"), user("two"), user("three"));
    let mut written = Vec::new();
    for (scope, count, bound) in [
        (&one, 10, KeyBound::PerUser),
        (&two, 10, KeyBound::PerUser),
        (&three, 5, KeyBound::OfUsers),
        (&KeyScope::Anonymous, 0, KeyBound::OfUsers),
        (&KeyScope::App, 15, KeyBound::OfBackends),
    ] {
        for number in 0..count {
            let text = format!("{scope:?} {number}");
            let entry = scoped(&text, scope, &number.to_string(), limits);
            assert!(
                !try_append(&node, entry).await.expect("room").duplicate,
                "{text}"
            );
            written.push((scope, number, text));
        }
        for number in count..count + 2 {
            expect_full(&node, (scope, number, limits), bound).await;
        }
    }
    // A scope at its bound can still retry what it has published, and a rejected append does not
    // evict a key.
    for (scope, number, text) in &written {
        let again = scoped("again", scope, &number.to_string(), limits);
        assert!(
            try_append(&node, again)
                .await
                .expect("a duplicate")
                .duplicate,
            "{text} is forgotten"
        );
    }
    append(&node, "without a key").await;
    let mut expected: Vec<_> = written.into_iter().map(|(.., text)| text).collect();
    expected.push("without a key".to_owned());
    assert_eq!(texts(&read_all(&node, &start).await), expected);
}

pub async fn a_bound_on_keys_holds_for_appends_at_once<B: Broker>() {
    let limits = KeyLimits::default().per_user(20);
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let mut appends = JoinSet::new();
    for number in 0..100 {
        let (node, entry) = (
            node.clone(),
            scoped("x", &user("one"), &number.to_string(), limits),
        );
        appends.spawn(async move { try_append(&node, entry).await });
    }
    let appended = appends.join_all().await;
    let refused = |result: &Result<_, _>| matches!(result, Err(BackplaneError::KeysFull(_)));
    assert!(
        appended
            .iter()
            .all(|result| result.is_ok() || refused(result)),
        "{appended:?}"
    );
    assert_eq!(
        appended.iter().filter(|result| result.is_ok()).count(),
        20,
        "{appended:?}"
    );
    assert_eq!(read_all(&node, &beginning(&node).await).await.len(), 20);
}

async fn expect_full(
    node: &NodeHandle,
    (scope, number, limits): (&KeyScope, usize, KeyLimits),
    bound: KeyBound,
) {
    match try_append(node, scoped("beyond", scope, &number.to_string(), limits)).await {
        Err(BackplaneError::KeysFull(full)) => {
            assert_eq!(full.bound, bound, "{scope:?}");
            let seconds = full.retry_after.as_secs();
            assert!(
                (1..=140).contains(&seconds),
                "{scope:?} can retry after {seconds} s"
            );
        }
        other => panic!("{scope:?} is beyond its bound: {other:?}"),
    }
}
