//! Renews this node's lease and lists the others.

use std::{collections::BTreeMap, error::Error, sync::Arc, time::Duration};

use sse_core::backplane::{Backplane, BackplaneError, Lease};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::{
    cluster_state::ClusterState,
    messages::{self, Summary},
    node_id::NodeId,
};

/// Renews this node's lease, and checks the others'.
pub(crate) async fn hold(shared: Arc<ClusterState>, backplane: Arc<dyn Backplane>) {
    let mut failures = 0_u32;
    loop {
        match within(&shared, renew(&shared, &*backplane)).await {
            Ok(()) => {
                if failures > 0 {
                    debug!("leases recovered");
                }
                failures = 0;
            }
            Err(error) => {
                let error = &error as &dyn Error;
                match failures {
                    0 => warn!(error, "failed to renew or list leases"),
                    _ => debug!(error, "failed to renew or list leases"),
                }
                failures = failures.saturating_add(1);
            }
        }
        // Other nodes renew their leases as well; the random delay spreads the load.
        sleep(
            shared
                .config
                .term
                .div_f64(3.0)
                .mul_f64(rand::random_range(0.8..=1.0)),
        )
        .await;
    }
}

/// Drops this node's lease.
pub(crate) async fn drop_lease(
    shared: &ClusterState,
    backplane: &dyn Backplane,
) -> Result<(), BackplaneError> {
    within(shared, backplane.drop_lease(&shared.me.to_string())).await
}

/// Limits the time of a call. A lease that takes longer than the interval between two checks is
/// useless.
async fn within<T>(
    shared: &ClusterState,
    call: impl Future<Output = Result<T, BackplaneError>>,
) -> Result<T, BackplaneError> {
    let time = shared.config.term / 3;
    match timeout(time, call).await {
        Ok(result) => result,
        Err(late) => Err(BackplaneError::unavailable(Duration::from_secs(1), late)),
    }
}

async fn renew(shared: &ClusterState, backplane: &dyn Backplane) -> Result<(), BackplaneError> {
    let payload = messages::write(&summary(shared));
    let lease = Lease {
        node: shared.me.to_string().into(),
        payload,
    };
    backplane.hold_lease(lease, shared.config.term).await?;
    let leases = backplane.leases().await?;
    let leases: BTreeMap<_, _> = leases.iter().filter_map(read).collect();
    shared
        .membership
        .lock()
        .leases(&leases, shared.config.term, tokio::time::Instant::now());
    shared.untidy.notify_one();
    shared.lost.notify_one();
    Ok(())
}

fn summary(shared: &ClusterState) -> Summary {
    let state = shared.membership.lock();
    let own = state.own();
    Summary {
        name: shared.config.name.as_deref().map(str::to_owned),
        number: own.map_or(0, |own| own.next.saturating_sub(1)),
        streams: own.map_or(0, |own| own.streams),
    }
}

fn read(lease: &Lease) -> Option<(NodeId, Summary)> {
    let id = lease.node.parse().ok()?;
    match messages::read(&lease.payload)? {
        Ok(summary) => Some((id, summary)),
        Err(error) => {
            if let Some(left_out) = messages::UNDECODABLE.admit("lease") {
                warn!(node = %id, %error, left_out, "failed to decode the lease of a node");
            }
            None
        }
    }
}
