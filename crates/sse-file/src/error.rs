//! Errors of a log on disk.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

use sse_core::backplane::BackplaneError;
use thiserror::Error;

/// The reason why a log was not opened. No acknowledged entry was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The log is open in another process, or in this one.
    #[error("the log in {dir} is in use")]
    Locked {
        /// The log's directory.
        dir: PathBuf,
    },
    /// A setting is out of its range.
    #[error("{setting} must be {range}")]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// The permitted range.
        range: &'static str,
    },
    /// The operating system reported an error.
    #[error("{path} cannot be used")]
    Io {
        /// The file, or the directory.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// Data that was written and synced has changed or is missing.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The tokio runtime ended before the log was open, or the opening thread panicked.
    #[error("the log was not opened: the runtime ended, or the opening thread panicked")]
    Runtime,
}

/// A place on disk that does not contain the data that was written.
///
/// Damage is found when a log is opened. Damage in older segments is found when they are read, and
/// is then the source of a
/// [`BackplaneError::Damaged`](sse_core::backplane::BackplaneError::Damaged).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file} is damaged at byte {offset}: {what}")]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Offset of the damaged record, or of any other damage, in bytes.
    pub offset: u64,
    /// Description of the damage.
    pub what: &'static str,
}

impl OpenError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// The reason why entries cannot be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Damaged(#[from] Damage),
    #[error("{path} cannot be read")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(damage) => Self::Damaged(damage),
            ReadError::Io { path, source } => Self::Io { path, source },
        }
    }
}

impl ReadError {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// Returns `true` if a retry can succeed, for example if the system has no room for another
    /// open file.
    pub(crate) fn is_passing(&self) -> bool {
        /// The device failed to return its data.
        const EIO: i32 = 5;
        let Self::Io { source, .. } = self else {
            return false;
        };
        let lasts = [
            io::ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::IsADirectory,
        ];
        !lasts.contains(&source.kind()) && source.raw_os_error() != Some(EIO)
    }

    /// Returns a file and an offset, which identify the damage.
    pub(crate) fn place(&self) -> (PathBuf, u64) {
        match self {
            Self::Damaged(damage) => (damage.file.clone(), damage.offset),
            Self::Io { path, .. } => (path.clone(), 0),
        }
    }
}

/// Creates the error for a temporary rejection.
pub(crate) fn blocked(
    reason: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> BackplaneError {
    BackplaneError::Blocked {
        reason: reason.into(),
        source: Some(source.into()),
    }
}
