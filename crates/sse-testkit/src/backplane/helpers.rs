//! Operations of rules on a log.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sse_core::{
    UserId,
    access::KeyScope,
    backplane::{
        Appended, Backplane, BackplaneError, Batch, Cursor, Entry, EntryKey, NewEntry, Position,
        ReadLimit, Tail,
    },
    config::KeyLimits,
};
use tokio::time::{sleep, timeout};

/// A node, shared with tasks.
pub(crate) type NodeHandle = Arc<dyn Backplane>;

/// Timeout for the next batch of a tail. Even a quiet tail returns a batch, an empty one, after
/// about a second; a busy machine takes longer.
pub(crate) const PULSE: Duration = Duration::from_secs(30);

/// Limit of a page that exceeds what any rule appends.
pub(crate) const ALL: ReadLimit = ReadLimit {
    entries: 100_000,
    bytes: 256 << 20,
};

/// Creates an entry with a text that identifies it.
pub(crate) fn entry(text: impl Into<String>) -> NewEntry {
    NewEntry {
        payload: Bytes::from(text.into()),
        key: None,
    }
}

/// Creates an entry with an idempotency key.
pub(crate) fn keyed(text: impl Into<String>, key: &str) -> NewEntry {
    NewEntry {
        key: Some(key.try_into().expect("a key")),
        ..entry(text)
    }
}

/// Creates an entry with an idempotency key of a scope, within limits.
pub(crate) fn scoped(
    text: impl Into<String>,
    scope: &KeyScope,
    key: &str,
    limits: KeyLimits,
) -> NewEntry {
    NewEntry {
        key: Some(EntryKey::new(scope, key, limits).expect("a key")),
        ..entry(text)
    }
}

/// Returns the scope of a user.
pub(crate) fn user(name: &str) -> KeyScope {
    KeyScope::User(UserId::new(name).expect("a name"))
}

/// Appends, and retries as long as too many appends are in flight.
pub(crate) async fn try_append(
    node: &NodeHandle,
    entry: NewEntry,
) -> Result<Appended, BackplaneError> {
    loop {
        match node.append(entry.clone()).await {
            Err(BackplaneError::Busy) => sleep(Duration::from_millis(5)).await,
            other => return other,
        }
    }
}

/// Appends an entry without a key.
pub(crate) async fn append(node: &NodeHandle, text: impl Into<String>) -> Cursor {
    let appended = try_append(node, entry(text)).await.expect("an append");
    assert!(
        !appended.duplicate,
        "an entry without a key is never a duplicate"
    );
    appended.cursor
}

/// Appends `<name>/0`, `<name>/1`, … one after the other.
pub(crate) async fn append_numbered(node: &NodeHandle, name: &str, count: usize) -> Vec<Cursor> {
    let mut cursors = Vec::with_capacity(count);
    for number in 0..count {
        cursors.push(append(node, format!("{name}/{number}")).await);
    }
    cursors
}

/// Returns the texts that [`append_numbered`] appends.
pub(crate) fn numbered(name: &str, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| format!("{name}/{number}"))
        .collect()
}

pub(crate) fn text(entry: &Entry) -> String {
    String::from_utf8(entry.payload.to_vec()).expect("an entry of text")
}

pub(crate) fn texts(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(text).collect()
}

pub(crate) fn assert_rising(entries: &[Entry]) {
    for pair in entries.windows(2) {
        assert!(
            pair[0].position < pair[1].position,
            "{} then {}",
            pair[0].position,
            pair[1].position
        );
    }
}

/// Returns the beginning of the current log.
pub(crate) async fn beginning(node: &NodeHandle) -> Cursor {
    Cursor::new(node.bounds().await.expect("bounds").epoch, Position::ZERO)
}

/// Returns the current end of the log.
pub(crate) async fn head(node: &NodeHandle) -> Cursor {
    let bounds = node.bounds().await.expect("bounds");
    Cursor::new(bounds.epoch, bounds.head)
}

/// Returns everything after a cursor, page by page.
pub(crate) async fn read_all(node: &NodeHandle, after: &Cursor) -> Vec<Entry> {
    let mut after = after.clone();
    let mut all = Vec::new();
    loop {
        let page = node.read(&after, ALL).await.expect("a page");
        if let Some(last) = page.entries.last() {
            after.position = last.position;
        }
        assert!(
            page.at_head || !page.entries.is_empty(),
            "an empty page is not the last page"
        );
        all.extend(page.entries);
        if page.at_head {
            return all;
        }
    }
}

pub(crate) async fn tail(node: &NodeHandle, after: &Cursor) -> Box<dyn Tail> {
    node.tail(after).await.expect("a tail")
}

/// Returns the next batch; fails after a timeout.
pub(crate) async fn next(tail: &mut Box<dyn Tail>) -> Result<Batch, BackplaneError> {
    timeout(PULSE, tail.next())
        .await
        .expect("a tail stayed silent for too long")
}

/// Returns `count` entries of a tail.
pub(crate) async fn take(tail: &mut Box<dyn Tail>, count: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut quiet = 0;
    while entries.len() < count {
        let batch = next(tail).await.expect("a batch");
        quiet = if batch.entries.is_empty() {
            quiet + 1
        } else {
            0
        };
        assert!(
            quiet < 60,
            "a tail brings {} of {count} entries",
            entries.len()
        );
        entries.extend(batch.entries);
    }
    assert!(
        entries.len() == count,
        "a tail brings {} entries instead of {count}",
        entries.len()
    );
    entries
}

/// Asserts that the next batch of a tail is empty: nothing was appended for about a second.
pub(crate) async fn assert_quiet(tail: &mut Box<dyn Tail>) {
    let batch = next(tail).await.expect("a batch");
    assert_eq!(
        texts(&batch.entries),
        [""; 0],
        "a tail yields an entry that was not appended"
    );
}
