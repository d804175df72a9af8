//! The driver's errors in our words.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use sse_core::BackplaneError;

/// When to try again what failed on a connection that was there.
pub(crate) const SOON: Duration = Duration::from_millis(50);

/// What is said of a server that follows another one. What it holds may be old, and nobody would notice.
pub(crate) const REPLICA: &str = "the server is a replica";

/// What a server says that refuses, and will again.
const PERMANENT: &[&str] = &[
    "FOREIGN",
    "WRONGTYPE",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "DENIED",
    "OOM",
    "MISCONF",
    "CROSSSLOT",
    "ERR",
];

/// What it says with such a word, and will not always say.
const FOR_NOW: &[&str] = &["max number of clients", "max clients"];

/// The error as the core knows it.
pub(crate) fn translate(error: RedisError) -> BackplaneError {
    if !is_permanent(&error) {
        return BackplaneError::unavailable(SOON, error);
    }
    BackplaneError::Refused { reason: error.to_string(), source: Some(Box::new(error)) }
}

/// Whether the connection is of no more use after it.
pub(crate) fn ends_connection(error: &RedisError) -> bool {
    !is_permanent(error)
}

/// Whether scripts are not where they were put.
pub(crate) fn lacks_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn is_permanent(error: &RedisError) -> bool {
    let text = error.to_string();
    if FOR_NOW.iter().any(|part| text.contains(part)) {
        return false;
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::RESP3NotSupported => true,
        ErrorKind::Server(ServerErrorKind::ExecAbort) => PERMANENT.iter().any(|word| text.contains(word)),
        _ => error.code().is_some_and(|code| PERMANENT.contains(&code)),
    }
}
