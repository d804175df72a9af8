//! The harness in which one rule is checked.

use std::{future::Future, time::Duration};

use sse_core::Retention;
use tokio::time::{Instant, sleep, timeout};

use crate::backplane::Broker;

/// Timeout of a rule, longer than any rule takes on a busy machine.
const MOST: Duration = Duration::from_secs(300);

/// Timeout for a condition within a rule.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs one rule.
///
/// # Panics
/// If the backplane violates the rule.
pub fn check(rule: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime for the nodes").block_on(async {
        timeout(MOST, rule)
            .await
            .expect("the rule did not finish in time");
    });
}

/// Starts a broker, unless the rule is to be skipped.
pub(crate) async fn start<B: Broker>() -> Option<B> {
    B::start(Retention::default()).await
}

/// Tries until an attempt succeeds.
pub(crate) async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(
            Instant::now() < end,
            "timed out while waiting for {what}, after {TIMEOUT:?}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}
