//! Parses replies of a server.

use bytes::Bytes;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use sse_core::backplane::{Entry, Epoch, Position};

use crate::entry_id;

/// The field of an entry that holds its payload.
pub(crate) const PAYLOAD: &[u8] = b"p";

/// Prefix of the names of groups that represent epochs.
const GROUP: &str = "sse:";

/// Creates the error for an unexpected reply.
pub(crate) fn unexpected(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, what))
}

/// Returns a reply, or the error that it contains.
pub(crate) fn checked(value: Value) -> Result<Value, RedisError> {
    match value {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    }
}

/// Returns the replies to `count` commands of a transaction. The last of the values contains them.
/// If that value says only that a command was rejected, the reply to the command says why.
pub(crate) fn of_transaction(
    mut answers: Vec<Value>,
    count: usize,
) -> Result<Vec<Value>, RedisError> {
    let last = answers.pop().map(checked).transpose();
    let aborted =
        |error: &RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::ExecAbort);
    if last.as_ref().is_err_and(aborted) {
        answers
            .into_iter()
            .try_for_each(|answer| checked(answer).map(drop))?;
    }
    match last? {
        Some(Value::Array(answers)) if answers.len() == count => Ok(answers),
        _ => Err(unexpected("invalid reply to a transaction")),
    }
}

pub(crate) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::VerbatimString { text, .. } => Some(text),
        value => std::str::from_utf8(bytes(value)?).ok(),
    }
}

pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        value => text(value)?.parse().ok(),
    }
}

/// Returns `true` if the reply to `ROLE` is that of a primary.
pub(crate) fn is_primary(role: &Value) -> bool {
    matches!(role, Value::Array(parts) if parts.first().and_then(text) == Some("master"))
}

pub(crate) fn position(value: &Value) -> Option<Position> {
    entry_id::parse(bytes(value)?)
}

/// An entry of a stream. A foreign entry has no payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawEntry {
    pub(crate) position: Position,
    pub(crate) payload: Option<Bytes>,
}

impl From<RawEntry> for Option<Entry> {
    fn from(RawEntry { position, payload }: RawEntry) -> Self {
        Some(Entry {
            position,
            payload: payload?,
        })
    }
}

/// Parses the entries of a reply to `XRANGE`.
pub(crate) fn entries(value: Value) -> Result<Vec<RawEntry>, RedisError> {
    match value {
        Value::Nil => Some(Vec::new()),
        Value::Array(values) => values.into_iter().map(entry).collect::<Option<_>>(),
        _ => None,
    }
    .ok_or_else(|| unexpected("invalid entries of a stream"))
}

/// Parses the entries of a reply to `XREAD` of one stream.
pub(crate) fn read_entries(value: Value) -> Result<Vec<RawEntry>, RedisError> {
    let Value::Array(streams) = value else {
        return entries(value);
    };
    let Some(Value::Array(mut stream)) = streams.into_iter().next() else {
        return Ok(Vec::new());
    };
    entries(stream.pop().unwrap_or_default())
}

fn entry(value: Value) -> Option<RawEntry> {
    let Value::Array(parts) = value else {
        return None;
    };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    Some(RawEntry {
        position: position(&id)?,
        payload: payload(fields),
    })
}

fn payload(fields: Value) -> Option<Bytes> {
    let Value::Array(fields) = fields else {
        return None;
    };
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if let (Some(PAYLOAD), Value::BulkString(payload)) = (bytes(&name), value) {
            return Some(payload.into());
        }
    }
    None
}

/// Returns the name of the group that represents an epoch.
pub(crate) fn group_of(epoch: &Epoch) -> String {
    format!("{GROUP}{epoch}")
}

/// Returns the epoch from the groups of a stream (`XINFO GROUPS`). Returns `None` if the stream
/// does not exist or is foreign.
pub(crate) fn epoch_of_groups(value: &Value) -> Option<Epoch> {
    let Value::Array(groups) = value else {
        return None;
    };
    groups.iter().find_map(|group| {
        let Value::Array(fields) = group else {
            return None;
        };
        let name = fields
            .chunks_exact(2)
            .find(|field| text(&field[0]) == Some("name"))?;
        Epoch::new(text(&name[1])?.strip_prefix(GROUP)?.to_owned()).ok()
    })
}

pub(crate) fn epoch(value: &Value) -> Option<Epoch> {
    Epoch::new(text(value)?.to_owned()).ok()
}
