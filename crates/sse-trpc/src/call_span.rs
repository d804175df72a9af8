//! The span of a call.

use sse_core::UserId;
use tracing::{Span, debug, debug_span, field};

use crate::{call_stats::CallTimer, context::Context, error::Error};

/// Creates the span of a call: the caller from the start, the result at the end.
pub(crate) fn span(procedure: &str, context: &Context) -> Span {
    let user_id = context.caller.user.as_ref().map(UserId::as_str);
    debug_span!(
        "trpc",
        procedure,
        user_id,
        code = field::Empty,
        elapsed_us = field::Empty
    )
}

/// Counts a call, unless its procedure is unknown, and logs the call. If this crate's span is
/// disabled, the current span can be the app's.
pub(crate) fn end(call: Option<CallTimer>, error: Option<&Error>, span: &Span) {
    if let Some(elapsed) = call.map(|call| call.end(error)) {
        span.record(
            "elapsed_us",
            u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        );
    }
    span.record("code", error.map_or("OK", |error| error.code().as_str()));
    debug!("procedure called");
}
