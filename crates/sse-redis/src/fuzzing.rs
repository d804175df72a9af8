//! Functions for the fuzz targets of this workspace, outside the API.

use redis::Value;

use crate::{
    append::{batch, resp},
    connection::sentinels,
    entry_id,
    log_info::LogInfo,
    read, reply,
};

/// Reads the bytes of a server as the replies to every command that is sent. Returns the number of
/// bytes that were replies.
///
/// # Panics
///
/// If a reply has another length or meaning than the driver's parser finds.
#[must_use]
pub fn read_answers(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Ok(Some(length)) = resp::length(&bytes[at..]) {
        let answer = &bytes[at..][..length];
        assert!(length > 0 && matches!(resp::length(&answer[..length - 1]), Ok(None)));
        let value = resp::value(answer);
        assert_eq!(
            value.as_ref().ok(),
            redis::parse_redis_value(answer).as_ref().ok()
        );
        if let Ok(value) = value {
            read_as_everything(&value);
        }
        at += length;
    }
    at
}

fn read_as_everything(value: &Value) {
    let _ = (
        reply::text(value),
        reply::number(value),
        reply::is_primary(value),
    );
    let _ = (
        reply::epoch(value),
        reply::epoch_of_groups(value),
        sentinels::address(value),
    );
    if let Some(position) = reply::position(value) {
        assert_eq!(
            entry_id::parse(entry_id::of(position).as_bytes()),
            Some(position)
        );
        assert!(entry_id::before(position) <= position);
    }
    let entries = reply::entries(value.clone());
    if matches!(value, Value::Array(_)) {
        let _ = reply::read_entries(value.clone());
    }
    if let Value::Array(values) = value {
        let _ = reply::of_transaction(values.clone(), values.len());
    }
    let _ = batch::outcome(value.clone());
    let Ok(Some(info)) = LogInfo::read(value.clone()) else {
        return;
    };
    let _ = read::step_back(value, &info);
    for entry in entries.unwrap_or_default() {
        let _ = info.gave(entry.position, true.into());
    }
}
