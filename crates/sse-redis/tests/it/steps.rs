//! Helpers of the tests.

use std::time::Duration;

use bytes::Bytes;
use sse_core::backplane::{
    Appended, Backplane, BackplaneError, Batch, Cursor, Entry, NewEntry, Position, ReadLimit, Tail,
};
use sse_redis::RedisBackplane;
use tokio::time::{Instant, sleep, timeout};

/// Timeout that is longer than any step on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) const ALL: ReadLimit = ReadLimit {
    entries: 100_000,
    bytes: 64 << 20,
};

pub(crate) fn entry(text: &str) -> NewEntry {
    NewEntry {
        payload: Bytes::copy_from_slice(text.as_bytes()),
        key: None,
    }
}

pub(crate) fn keyed(text: &str, key: &str) -> NewEntry {
    NewEntry {
        key: Some(key.try_into().unwrap()),
        ..entry(text)
    }
}

/// Appends to an existing log.
pub(crate) async fn append(node: &RedisBackplane, text: &str) -> Cursor {
    node.append(entry(text)).await.unwrap().cursor
}

/// Appends with a key until the append is acknowledged, whatever happens meanwhile.
pub(crate) async fn insist(node: &RedisBackplane, text: &str) -> Appended {
    eventually("an append", async || {
        node.append(keyed(text, text)).await.ok()
    })
    .await
}

pub(crate) async fn beginning(node: &RedisBackplane) -> Cursor {
    Cursor::new(node.bounds().await.unwrap().epoch, Position::ZERO)
}

pub(crate) fn texts(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| String::from_utf8(entry.payload.to_vec()).unwrap())
        .collect()
}

/// Returns the entries after a cursor.
pub(crate) async fn read(node: &RedisBackplane, after: &Cursor) -> Vec<String> {
    let page = node.read(after, ALL).await.unwrap();
    assert!(page.at_head);
    texts(&page.entries)
}

pub(crate) async fn next(tail: &mut Box<dyn Tail>) -> Result<Batch, BackplaneError> {
    timeout(TIMEOUT, tail.next())
        .await
        .expect("the tail returned nothing in time")
}

/// Returns the next `count` entries of a tail.
pub(crate) async fn take(tail: &mut Box<dyn Tail>, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    let end = Instant::now() + TIMEOUT;
    while all.len() < count {
        assert!(Instant::now() < end, "the tail returned only {all:?}");
        all.extend(texts(&next(tail).await.unwrap().entries));
    }
    all
}

/// Returns the error of a tail that must bring no more entries.
pub(crate) async fn end_of(tail: &mut Box<dyn Tail>) -> BackplaneError {
    let end = Instant::now() + TIMEOUT;
    loop {
        assert!(Instant::now() < end, "the tail has not ended");
        match next(tail).await {
            Ok(batch) => assert_eq!(texts(&batch.entries), [""; 0]),
            Err(error) => return error,
        }
    }
}

/// Repeats an attempt until it returns a value.
pub(crate) async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(
            Instant::now() < end,
            "{what}: no success within {TIMEOUT:?}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the error of a call that must fail in time.
pub(crate) async fn fails<T>(
    call: impl Future<Output = Result<T, BackplaneError>>,
) -> BackplaneError {
    timeout(TIMEOUT, call)
        .await
        .expect("the call did not end in time")
        .map(|_| ())
        .expect_err("the call succeeded")
}

pub(crate) fn is_unavailable(error: &BackplaneError) -> bool {
    matches!(error, BackplaneError::Unavailable { .. })
}

pub(crate) fn is_refused(error: &BackplaneError) -> bool {
    matches!(error, BackplaneError::Rejected { .. })
}

/// Asserts that a log is a different one from that of a cursor, for reads and tails.
pub(crate) async fn expect_other_log(node: &RedisBackplane, cursor: &Cursor) {
    for error in [
        fails(node.read(cursor, ALL)).await,
        fails(node.tail(cursor)).await,
    ] {
        assert!(matches!(error, BackplaneError::Epoch { .. }), "{error:?}");
    }
}
