//! The error of a batch that is not acknowledged.

use std::{io, path::Path, sync::Arc, time::Duration};

use sse_core::backplane::BackplaneError;

use crate::{append_queue::Pending, error::blocked};

/// The reason why a batch is not acknowledged; every append of the batch gets it.
#[derive(Debug)]
pub(crate) enum BatchError {
    /// The batch was not appended. A retry succeeds once the disk accepts the batch.
    Blocked {
        reason: String,
        source: Arc<io::Error>,
    },
    /// The batch was not appended, and no append succeeds until the log is opened again.
    Refused { reason: String },
    /// The batch may be in the log after it is opened again.
    Unknown(Arc<io::Error>),
}

impl BatchError {
    /// Creates the error for a batch of which nothing is in the file.
    pub(crate) fn of_write(error: io::Error, file: &Path) -> Self {
        let reason = format!(
            "{} ({}: {error}); {}",
            what(&error),
            file.display(),
            remedy(&error)
        );
        Self::Blocked {
            reason,
            source: Arc::new(error),
        }
    }

    fn to_error(&self) -> BackplaneError {
        match self {
            Self::Blocked { reason, source } => blocked(reason, Arc::clone(source)),
            Self::Refused { reason } => BackplaneError::rejected(reason),
            Self::Unknown(source) => {
                BackplaneError::unavailable(Duration::from_secs(1), Arc::clone(source))
            }
        }
    }
}

/// `EMFILE` and `ENFILE`, which have no kind.
const NO_FILES: [i32; 2] = [24, 23];

fn has_no_files(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| NO_FILES.contains(&code))
}

fn what(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full",
        io::ErrorKind::QuotaExceeded => "the disk quota is used up",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        _ if has_no_files(error) => "too many files are open",
        _ => "failed to write to disk",
    }
}

/// Returns the operator's remedy for an error.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on the disk of the log, or keep fewer entries"
        }
        io::ErrorKind::ReadOnlyFilesystem => "check the disk (dmesg) and mount it for writing",
        io::ErrorKind::PermissionDenied => "give this process the right to write there",
        _ if has_no_files(error) => "raise the limit on open files (LimitNOFILE=, ulimit -Hn)",
        _ => "check the disk (dmesg)",
    }
}

/// Fails all appends of a batch.
pub(crate) fn fail(pending: Vec<Pending>, failure: &BatchError) {
    for pending in pending {
        pending.reply.send(Err(failure.to_error())).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_errors_are_temporary_and_name_remedy() {
        // ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, EACCES, EPERM, ENOENT, ENXIO, and an unknown
        // error.
        for code in [28, 122, 5, 30, 24, 23, 13, 1, 2, 6, 9999] {
            let error = io::Error::from_raw_os_error(code);
            let error = BatchError::of_write(error, Path::new("/log/1.log")).to_error();
            let BackplaneError::Blocked {
                reason,
                source: Some(_),
            } = &error
            else {
                panic!("{error:?}")
            };
            assert!(
                reason.contains("/log/1.log") && reason.contains("; "),
                "{reason}"
            );
        }
    }
}
