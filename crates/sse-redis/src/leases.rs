//! Leases of nodes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use redis::Value;
use sse_core::backplane::{BackplaneError, Lease};

use crate::{
    connection::{RedisConnection, reconnecting::Reconnecting},
    reply::{self, unexpected},
    scripts::Script,
    shared::Shared,
};

/// Maximum number of bytes of a lease's payload.
const MAX_PAYLOAD_BYTES: usize = 64 << 10;

/// Maximum number of leases that are fetched at once.
const STEP: usize = 32;

/// Writes a lease. Each lease is a key that the server deletes at the end of its term. Leases are
/// also listed in an index, because a server cannot cheaply find keys by prefix.
pub(crate) async fn hold(
    slot: &Reconnecting<RedisConnection>,
    shared: &Shared,
    lease: &Lease,
    term: Duration,
) -> Result<(), BackplaneError> {
    check(&lease.node)?;
    let size = lease.payload.len();
    if size > MAX_PAYLOAD_BYTES {
        return Err(BackplaneError::TooLarge {
            size,
            limit: MAX_PAYLOAD_BYTES,
        });
    }
    // Redis counts in 63 bits.
    let term = u64::try_from(term.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, LONGEST_TERM);
    slot.ask(|connection| async move {
        let mut command = connection.call(
            Script::LeasePut,
            &[&shared.keys.leases, &shared.keys.lease(&lease.node)],
        );
        connection
            .ask(command.arg(&*lease.node).arg(&lease.payload[..]).arg(term))
            .await
    })
    .await?;
    Ok(())
}

/// A hundred years, in milliseconds.
const LONGEST_TERM: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// Deletes a lease. A lease that is not held is no error.
pub(crate) async fn drop(
    slot: &Reconnecting<RedisConnection>,
    shared: &Shared,
    node: &str,
) -> Result<(), BackplaneError> {
    check(node)?;
    slot.ask(|connection| async move {
        let mut pipe = redis::pipe();
        pipe.cmd("DEL").arg(shared.keys.lease(node));
        pipe.cmd("ZREM").arg(&*shared.keys.leases).arg(node);
        connection
            .ask_many(&pipe, 2)
            .await?
            .into_iter()
            .try_for_each(|answer| reply::checked(answer).map(|_| ()))
    })
    .await
}

pub(crate) async fn all(
    slot: &Reconnecting<RedisConnection>,
    shared: &Shared,
) -> Result<Vec<Lease>, BackplaneError> {
    let nodes = slot.ask(|connection| async move {
        match connection
            .ask(&connection.call(Script::LeaseList, &[&shared.keys.leases]))
            .await?
        {
            Value::Array(nodes) => Ok(nodes
                .iter()
                .filter_map(|node| reply::text(node).map(Arc::from))
                .collect()),
            _ => Err(unexpected("invalid list of nodes")),
        }
    });
    let nodes: Vec<Arc<str>> = nodes.await?;
    let mut leases = Vec::with_capacity(nodes.len());
    for nodes in nodes.chunks(STEP) {
        let payloads = slot.ask(|connection| async move {
            let mut command = redis::cmd("MGET");
            nodes.iter().for_each(|node| {
                command.arg(shared.keys.lease(node));
            });
            match connection.ask(&command).await? {
                Value::Array(payloads) => Ok(payloads),
                _ => Err(unexpected("invalid list of leases")),
            }
        });
        // A lease whose term ended since the index was read has no payload.
        leases.extend(nodes.iter().zip(payloads.await?).filter_map(
            |(node, payload)| match payload {
                Value::BulkString(payload) => Some(Lease {
                    node: Arc::clone(node),
                    payload: Bytes::from(payload),
                }),
                _ => None,
            },
        ));
    }
    Ok(leases)
}

fn check(node: &str) -> Result<(), BackplaneError> {
    let fits =
        (1..=64).contains(&node.len()) && node.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits {
        Ok(())
    } else {
        Err(BackplaneError::rejected(
            "node name must be 1 to 64 ASCII letters and digits",
        ))
    }
}
