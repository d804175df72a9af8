//! What can be wrong with a log on disk.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

use sse_core::BackplaneError;
use thiserror::Error;

/// Why a log was not opened. No entry that was acknowledged was touched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open, or this one has.
    #[error("{dir} is in use")]
    Locked {
        /// The log's directory.
        dir: PathBuf,
    },
    /// A setting is out of its range.
    #[error("{setting} must be {range}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// The system refused.
    #[error("{path} cannot be used")]
    Io {
        /// Which file, or the directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What was written and synced is not there as it was.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The runtime ended.
    #[error("the runtime is shutting down")]
    Runtime,
}

/// A place on disk that does not say what was written there.
///
/// Found when a log is opened or, in older segments, when somebody reads there; a
/// [`BackplaneError::Damaged`](sse_core::BackplaneError::Damaged) has it for its source then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file} is damaged at byte {offset}: {what}")]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where the record begins, or whatever else is wrong.
    pub offset: u64,
    /// What is wrong.
    pub what: &'static str,
}

impl OpenError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Why entries cannot be read.
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

    /// Whether it may be otherwise the next time: the system has no room for another open file, or
    /// the like.
    pub(crate) fn is_passing(&self) -> bool {
        /// A device that does not give what it was given.
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

    /// A file and an offset, by which it is known again.
    pub(crate) fn place(&self) -> (PathBuf, u64) {
        match self {
            Self::Damaged(damage) => (damage.file.clone(), damage.offset),
            Self::Io { path, .. } => (path.clone(), 0),
        }
    }
}

/// Rejected for the moment.
pub(crate) fn blocked(
    reason: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> BackplaneError {
    BackplaneError::Blocked {
        reason: reason.into(),
        source: Some(source.into()),
    }
}
