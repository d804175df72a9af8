//! Errors of accepting connections.

use std::io;

use tracing::warn;

use crate::serve::log_limit::LogLimit;

/// Errors of accepting connections. During a shortage (`EMFILE`), accepting fails ten times a
/// second.
#[derive(Debug, Default)]
pub(crate) struct AcceptErrors {
    limit: LogLimit,
    /// Set while the latest accept failed because of a shortage.
    is_short: bool,
}

/// The side that caused an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The client. The connection failed before it was accepted.
    Client,
    /// The system, which is short of a resource. If no file descriptor is free, Linux fails before
    /// it checks for a client.
    Shortage,
    /// The system, in consecutive failures.
    LastingShortage,
}

impl AcceptErrors {
    /// Notes an error, and logs it if a message is due.
    pub(crate) fn note(&mut self, error: &io::Error) -> Cause {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(
            error.kind(),
            ConnectionAborted | ConnectionRefused | ConnectionReset
        ) {
            return Cause::Client;
        }
        if let Some(failures) = self.limit.count() {
            warn!(%error, failures, "failed to accept connections");
        }
        if std::mem::replace(&mut self.is_short, true) {
            Cause::LastingShortage
        } else {
            Cause::Shortage
        }
    }

    /// Notes that a connection was accepted.
    pub(crate) fn end(&mut self) {
        self.is_short = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `EMFILE`.
    fn too_many_files() -> io::Error {
        io::Error::from_raw_os_error(24)
    }

    #[test]
    fn departed_clients_are_not_a_shortage() {
        for (error, cause) in [
            (io::ErrorKind::ConnectionAborted.into(), Cause::Client),
            (io::ErrorKind::ConnectionReset.into(), Cause::Client),
            (io::ErrorKind::OutOfMemory.into(), Cause::Shortage),
            (too_many_files(), Cause::Shortage),
        ] {
            assert_eq!(AcceptErrors::default().note(&error), cause, "{error}");
        }
    }

    #[test]
    fn shortage_lasts_until_a_client_is_accepted() {
        let mut errors = AcceptErrors::default();
        for _ in 0..2 {
            assert_eq!(errors.note(&too_many_files()), Cause::Shortage);
            assert_eq!(errors.note(&too_many_files()), Cause::LastingShortage);
            assert_eq!(
                errors.note(&io::ErrorKind::ConnectionReset.into()),
                Cause::Client
            );
            assert_eq!(errors.note(&too_many_files()), Cause::LastingShortage);
            errors.end();
        }
    }
}
