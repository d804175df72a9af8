//! Probes while the backplane rejects requests.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use crate::{
    backplane::{Backplane, RESPONSE_TIMEOUT, acceptance::Duty},
    manager::inner::Inner,
};

/// Time without failures after which the pauses between probes start short again.
const CALM: Duration = Duration::from_secs(60);

/// Step of the back-off at which pauses between probes start (0.2 to 0.4 s).
const FIRST_PAUSE: u32 = 3;

/// Sends probes while requests are rejected, until the manager is dropped.
pub(crate) async fn probe(manager: Weak<Inner>, backplane: Arc<dyn Backplane>) {
    let mut probes = 0_u32;
    let mut ended = Instant::now();
    while let Some(inner) = manager.upgrade() {
        let acceptance = Arc::clone(&inner.acceptance);
        if acceptance.is_fine() {
            drop(inner);
            drop(timeout(RESPONSE_TIMEOUT, acceptance.troubled.notified()).await);
            if ended.elapsed() > CALM {
                probes = 0;
            }
            continue;
        }
        let pause = inner.jitter.pause(FIRST_PAUSE.saturating_add(probes));
        drop(inner);
        drop(timeout(pause, acceptance.recovered.notified()).await);
        probes = probes.saturating_add(1);
        for duty in Duty::PROBED {
            let Some(inner) = manager.upgrade() else {
                return;
            };
            let is_unavailable = inner.is_log_unavailable();
            drop(inner);
            acceptance.check(duty, &*backplane, is_unavailable).await;
        }
        ended = Instant::now();
    }
}
