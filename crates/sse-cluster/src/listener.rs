//! Receives messages of other nodes.

use std::sync::{Arc, Weak, atomic::Ordering};

use bytes::Bytes;
use sse_core::backplane::SignalHandler;
use tracing::warn;

use crate::{
    cluster_state::ClusterState,
    messages::{self, ClusterEnvelope, ClusterMessage, IncomingRequest},
};

/// Receives messages of other nodes as long as the cluster exists.
pub(crate) struct ClusterListener(pub(crate) Weak<ClusterState>);

impl SignalHandler for ClusterListener {
    fn signalled(&self, payload: Bytes) {
        let Some(shared) = self.0.upgrade() else {
            return;
        };
        match messages::read::<ClusterEnvelope>(&payload) {
            // Signals can also belong to the app.
            None => {}
            Some(Ok(message)) if message.from == shared.me => {}
            Some(Ok(message)) => receive(&shared, message),
            Some(Err(error)) => {
                if let Some(left_out) = messages::UNDECODABLE.admit("message") {
                    warn!(%error, left_out, "failed to decode a message of another node");
                }
            }
        }
    }

    fn missed(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.missed();
        }
    }
}

fn receive(shared: &Arc<ClusterState>, ClusterEnvelope { from, message }: ClusterEnvelope) {
    match message {
        ClusterMessage::Report(report) => shared.report(from, &report),
        ClusterMessage::ListRequest { of } if of.contains(&shared.me) => {
            shared.list_requested.store(true, Ordering::Relaxed);
        }
        ClusterMessage::Request {
            number,
            to,
            request,
        } if to.is_none_or(|to| to == shared.me) => {
            shared.asked(IncomingRequest {
                from,
                number,
                request,
            });
        }
        ClusterMessage::Reply {
            to,
            number,
            response,
        } if to == shared.me => {
            shared.pending_requests.answer(number, from, response);
        }
        ClusterMessage::Leaving => shared.departed(from),
        ClusterMessage::ListRequest { .. }
        | ClusterMessage::Request { .. }
        | ClusterMessage::Reply { .. } => {}
    }
}
