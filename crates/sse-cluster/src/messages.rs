//! Messages between nodes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sse_core::{
    ClientId, LoginId, Target, Topic, UserId,
    access::Banned,
    connections::Connection,
    throttle::{INTERVAL, Throttle},
};
use thiserror::Error;

use crate::node_id::NodeId;

/// First bytes of a message. Other signals can belong to the app.
const MAGIC: &[u8] = b"ssec";

/// The version of the format, in the byte after the magic. [`Connection`] is part of the format.
const VERSION: u8 = 2;

/// A message of a node. All nodes receive it, since a signal reaches all nodes.
///
/// Encoded as the magic bytes, the version, and the rest in [postcard's
/// format](https://postcard.jamesmunns.com/wire-format).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClusterEnvelope {
    pub(crate) from: NodeId,
    pub(crate) message: ClusterMessage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum ClusterMessage {
    /// Users that are connected to the node.
    Report(Report),
    /// Requests lists of all users of these nodes.
    ListRequest { of: Vec<NodeId> },
    /// A request to one node, or to all others.
    Request {
        number: u64,
        to: Option<NodeId>,
        request: NodeRequest,
    },
    /// The reply to a request.
    Reply {
        to: NodeId,
        number: u64,
        response: NodeResponse,
    },
    /// The node leaves.
    Leaving,
}

/// A report of users that are connected to a node. Reports are numbered consecutively, so that a
/// lost report is detected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) number: u64,
    pub(crate) part: ReportPart,
    /// Number of live streams of the node, including anonymous ones.
    pub(crate) streams: u64,
    /// Number of users of the node, if this report completes all changes so far.
    pub(crate) unique_users: Option<u64>,
    /// Users, with their current number of streams on the node.
    pub(crate) users: Vec<(UserId, u32)>,
    /// Banned users and logins, with the remaining milliseconds.
    pub(crate) bans: Vec<(Banned, u64)>,
}

/// The kind of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReportPart {
    /// Users whose number of streams has changed.
    Changes,
    /// A page of all users.
    Page { first: bool, last: bool },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum NodeRequest {
    Connections {
        user: Option<UserId>,
        topic: Option<Topic>,
        cursor: Option<u32>,
        limit: u32,
    },
    Connection(ClientId),
    Join {
        client: ClientId,
        topics: Vec<Topic>,
    },
    Leave {
        client: ClientId,
        topics: Vec<Topic>,
    },
    Renew {
        client: ClientId,
        user: Option<UserId>,
        expires_at: Option<u64>,
        login: Option<LoginId>,
    },
    Disconnect {
        target: Target,
        reason: Option<String>,
        ban: Option<(Banned, u64)>,
    },
    Count(Target),
}

/// Limits the log lines on messages and leases of another version: in a rolling update each node
/// receives many of both.
pub(crate) static UNDECODABLE: Throttle = Throttle::new(INTERVAL);

/// A request of another node.
#[derive(Debug)]
pub(crate) struct IncomingRequest {
    pub(crate) from: NodeId,
    pub(crate) number: u64,
    pub(crate) request: NodeRequest,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum NodeResponse {
    Connections {
        items: Vec<Connection>,
        next: Option<u32>,
    },
    Connection(Option<Box<Connection>>),
    /// Number of topics that were joined or left; `None` if the stream does not exist.
    Topics(Option<u32>),
    Renewed(Renewal),
    Count(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Renewal {
    NotLive,
    Done,
    OtherUser,
    Expired,
}

/// The content of a node's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) name: Option<String>,
    /// The number of the last report.
    pub(crate) number: u64,
    pub(crate) streams: u64,
}

/// The error for a message with the magic bytes that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum WireError {
    #[error("unsupported version {0:?} of a cluster message; this node has version {VERSION}")]
    Version(Option<u8>),
    #[error("damaged cluster message")]
    Damaged,
}

/// Encodes a [`ClusterEnvelope`] or a [`Summary`].
pub(crate) fn write(thing: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    // Writing cannot fail: the memory grows, and postcard supports all types.
    postcard::to_extend(thing, bytes).unwrap_or_default().into()
}

/// Decodes a message; `None` for a foreign signal.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Option<Result<T, WireError>> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let Some((&VERSION, rest)) = rest.split_first() else {
        return Some(Err(WireError::Version(rest.first().copied())));
    };
    Some(postcard::from_bytes(rest).map_err(|_| WireError::Damaged))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use sse_core::{Handshake, Manager, connections::ConnectionQuery};

    use super::*;

    fn messages() -> Vec<ClusterEnvelope> {
        let manager = Manager::builder().build().unwrap();
        let stream = manager
            .connect(Handshake::new().user("ada").topic("news"))
            .unwrap();
        let client = stream.client_id();
        let user: UserId = "ä".parse().unwrap();
        let topics: Vec<Topic> = vec!["news".parse().unwrap()];
        let items = manager.connections(&ConnectionQuery::first(9)).items;
        let (from, number, reason) = (NodeId::random(), u64::MAX, Some("bye".to_owned()));
        let report = Report {
            number,
            part: ReportPart::Page {
                first: true,
                last: false,
            },
            streams: 3,
            unique_users: Some(1),
            users: vec![(user.clone(), u32::MAX)],
            bans: vec![
                (user.clone().into(), 1),
                (LoginId::from_bytes([7; 16]).into(), 2),
            ],
        };
        let requests = [
            NodeRequest::Connections {
                user: Some(user.clone()),
                topic: None,
                cursor: Some(1),
                limit: 2,
            },
            NodeRequest::Connection(client),
            NodeRequest::Join {
                client,
                topics: topics.clone(),
            },
            NodeRequest::Leave { client, topics },
            NodeRequest::Renew {
                client,
                user: None,
                expires_at: Some(1),
                login: Some(LoginId::from_bytes([0; 16])),
            },
            NodeRequest::Disconnect {
                target: Target::User(user.clone()),
                reason,
                ban: Some((user.into(), 1)),
            },
            NodeRequest::Count(Target::All),
        ];
        let responses = [
            NodeResponse::Connections {
                items: items.clone(),
                next: Some(7),
            },
            NodeResponse::Connection(items.into_iter().next().map(Box::new)),
            NodeResponse::Topics(None),
            NodeResponse::Renewed(Renewal::Expired),
            NodeResponse::Count(number),
        ];
        let requests = requests.map(|request| ClusterMessage::Request {
            number,
            to: Some(from),
            request,
        });
        let responses = responses.map(|response| ClusterMessage::Reply {
            to: from,
            number,
            response,
        });
        let others = [
            ClusterMessage::Report(report),
            ClusterMessage::ListRequest { of: vec![from] },
            ClusterMessage::Leaving,
        ];
        let messages = others.into_iter().chain(requests).chain(responses);
        messages
            .map(|message| ClusterEnvelope { from, message })
            .collect()
    }

    #[test]
    fn messages_round_trip() {
        for message in messages() {
            assert_eq!(read(&write(&message)), Some(Ok(message)));
        }
    }

    #[test]
    fn foreign_signal_differs_from_damaged_message() {
        assert_eq!(read::<ClusterEnvelope>(b"hello"), None);
        assert_eq!(
            read::<ClusterEnvelope>(b"ssec"),
            Some(Err(WireError::Version(None)))
        );
        assert_eq!(
            read::<ClusterEnvelope>(b"ssec\x07rest"),
            Some(Err(WireError::Version(Some(7))))
        );
        assert_eq!(
            read::<ClusterEnvelope>(b"ssec\x02"),
            Some(Err(WireError::Damaged))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in vec(any::<u8>(), 0..300)) {
            let ours = [MAGIC, &[VERSION], &bytes].concat();
            prop_assert!(read::<ClusterEnvelope>(&ours).is_some());
            prop_assert!(read::<Summary>(&ours).is_some());
        }

        #[test]
        fn changed_byte_is_message_or_error(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let all = messages();
            let mut bytes = write(which.get(&all)).to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(Ok(ClusterEnvelope { message: ClusterMessage::Report(report), .. })) = read(&bytes) {
                prop_assert!(report.users.len() <= bytes.len());
            }
        }
    }
}
