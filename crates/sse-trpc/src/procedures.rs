//! The procedures of every management API.

pub(crate) mod connections;
pub(crate) mod disconnect;
pub(crate) mod events;
pub(crate) mod membership;
pub(crate) mod notify;
pub(crate) mod publish;
pub(crate) mod renew;
pub(crate) mod stats;
pub(crate) mod system;
pub(crate) mod ticket;

use serde::Serialize;
use sse_cluster::NodeId;
use sse_core::{Receipt, Target};

use sse_notify::Kind;

use crate::procedure::Procedure;

/// Returns names and procedures.
pub(crate) fn all() -> [(&'static str, Procedure); 17] {
    [
        ("sse.getStats", Procedure::query(stats::get).managers_only()),
        (
            "sse.getConnections",
            Procedure::query(connections::get).managers_only(),
        ),
        (
            "sse.sendSuccess",
            notify::send(Kind::Success).publishers_only(None),
        ),
        (
            "sse.sendInfo",
            notify::send(Kind::Info).publishers_only(None),
        ),
        (
            "sse.sendWarning",
            notify::send(Kind::Warning).publishers_only(None),
        ),
        (
            "sse.sendError",
            notify::send(Kind::Error).publishers_only(None),
        ),
        (
            "sse.sendNotification",
            Procedure::mutation(notify::send_notification).publishers_only(None),
        ),
        (
            "sse.broadcastNotification",
            Procedure::mutation(notify::broadcast).publishers_only(Some(Target::All)),
        ),
        (
            "sse.sendSystemEvent",
            Procedure::mutation(system::send).publishers_only(None),
        ),
        (
            "sse.broadcastSystemEvent",
            Procedure::mutation(system::broadcast).publishers_only(Some(Target::All)),
        ),
        (
            "sse.publish",
            Procedure::mutation(publish::publish).publishers_only(None),
        ),
        (
            "sse.join",
            Procedure::mutation(membership::join).own("manage streams"),
        ),
        (
            "sse.leave",
            Procedure::mutation(membership::leave).own("manage streams"),
        ),
        ("sse.events", Procedure::subscription(events::events)),
        (
            "sse.createTicket",
            Procedure::mutation(ticket::create)
                .own("get tickets")
                .max_input(ticket::MAX_INPUT),
        ),
        (
            "sse.renew",
            Procedure::mutation(renew::renew)
                .open_to_refused()
                .max_input(renew::MAX_INPUT),
        ),
        (
            "sse.disconnect",
            Procedure::mutation(disconnect::disconnect).managers_only(),
        ),
    ]
}

/// The output of every mutation except `createTicket`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "Done"))]
pub(crate) struct Done {
    /// Number of streams that the mutation reached. A publish counts those of the node that
    /// answers, so zero does not mean that nobody is connected.
    matched: usize,
    /// Id of the event; only with an event log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    id: Option<String>,
    /// Set if the event had already been published under its key. `id` is that of the earlier
    /// event, and nothing was sent now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "true"))]
    duplicate: Option<bool>,
    /// Nodes of the cluster that did not answer in time; only if some did not, or the list of nodes
    /// is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, as = "Option<Vec<String>>"))]
    incomplete: Option<Vec<NodeId>>,
}

impl Done {
    /// Creates an output without an event.
    pub(crate) fn matched(matched: usize) -> Self {
        Self {
            matched,
            id: None,
            duplicate: None,
            incomplete: None,
        }
    }

    /// Adds the nodes that did not answer, unless the result is complete.
    pub(crate) fn unless(self, complete: bool, unanswered: Vec<NodeId>) -> Self {
        Self {
            incomplete: (!complete).then_some(unanswered),
            ..self
        }
    }
}

impl From<Receipt> for Done {
    fn from(receipt: Receipt) -> Self {
        let Receipt {
            matched,
            id,
            duplicate,
            ..
        } = receipt;
        let id = id.map(|id| id.as_str().to_owned());
        Self {
            id,
            duplicate: duplicate.then_some(true),
            ..Self::matched(matched)
        }
    }
}
