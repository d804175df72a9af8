//! The harness in which one rule is checked.

use std::{future::Future, time::Duration};

use sse_core::Retention;
use tokio::time::{Instant, sleep, timeout};

use crate::backplane::Broker;

/// Longer than any rule takes on a busy machine.
const MOST: Duration = Duration::from_secs(300);

/// How long a rule waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Plays one rule.
///
/// # Panics
/// When the backplane does not keep it.
pub fn check(rule: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime for the nodes").block_on(async {
        timeout(MOST, rule).await.expect("the rule came to no end");
    });
}

/// A broker, unless the rule is to be skipped.
pub(crate) async fn start<B: Broker>() -> Option<B> {
    B::start(Retention::default()).await
}

/// Tries until there is something.
pub(crate) async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(20)).await;
    }
}
