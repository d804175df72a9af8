//! Why a batch is not acknowledged.

use std::{io, sync::Arc, time::Duration};

use sse_core::BackplaneError;

use crate::{error::refused, queue::Pending};

/// Why a batch is not acknowledged; told to everybody in it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was not appended.
    Refused { reason: String, source: Option<Arc<io::Error>> },
    /// It may be found there later.
    Unknown(Arc<io::Error>),
}

impl Failure {
    pub(crate) fn of_write(error: io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
            _ => format!("writing to disk failed: {error}"),
        };
        Self::Refused { reason, source: Some(Arc::new(error)) }
    }

    fn to_error(&self) -> BackplaneError {
        match self {
            Self::Refused { reason, source: Some(source) } => refused(reason, Arc::clone(source)),
            Self::Refused { reason, source: None } => BackplaneError::refused(reason),
            Self::Unknown(source) => BackplaneError::unavailable(Duration::from_secs(1), Arc::clone(source)),
        }
    }
}

/// Tells everybody.
pub(crate) fn fail(pending: Vec<Pending>, failure: &Failure) {
    for pending in pending {
        pending.reply.send(Err(failure.to_error())).ok();
    }
}
