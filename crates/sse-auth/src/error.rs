//! Reasons for which credentials are refused, for logs.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    app_error::{BoxError, SharedError},
    jwt::jwks_error::JwksError,
    rejection::AuthRejection,
};

/// The reason for which credentials are refused: for logs, not for clients, which receive its
/// [`rejection`](Self::rejection).
///
/// An error never repeats a token, a secret or a claim's value. The parts of a request that it
/// repeats are short and escaped.
///
/// ```
/// use sse_auth::{AuthError, Tickets};
///
/// let error = Tickets::new().take("unknown").unwrap_err();
/// assert!(matches!(error, AuthError::UnknownTicket));
/// assert_eq!(error.code(), "unknown_ticket");
/// ```
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AuthError {
    /// No authenticator is responsible for the presented credentials.
    #[error("no authenticator is responsible for the credentials")]
    Unrecognized,
    /// A header, parameter or cookie that must occur at most once occurs several times.
    #[error("{0} occurs more than once")]
    Repeated(&'static str),
    /// Several credentials verify, and name different users.
    #[error("credentials of different users are presented together")]
    Ambiguous,
    /// The request presents more credentials of one kind than are tried, or credentials of more
    /// than 256 KiB in total.
    #[error("the request has more than {limit} credentials, or credentials that are too large")]
    TooMany {
        /// Maximum number of credentials.
        limit: usize,
    },
    /// A session cookie holds an opaque id, as used by sites with sessions in a database, instead
    /// of an encrypted token.
    #[error(
        "the session cookie holds the opaque id of a session in a database instead of an encrypted token"
    )]
    OpaqueSession,
    /// The token is longer than the limit.
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// Maximum length, in bytes.
        limit: usize,
    },
    /// A session is spread over more cookies than the limit.
    #[error("the session is spread over more than {limit} cookies")]
    TooManyChunks {
        /// Maximum number of cookies.
        limit: usize,
    },
    /// A session is spread over several cookies, and one of them is missing.
    #[error("chunk {chunk} of the session cookie is missing")]
    MissingChunk {
        /// Number of the first missing cookie, from 0.
        chunk: usize,
    },
    /// The credential is not a token.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// The token's `alg` is not one of its key, or is not accepted at all.
    #[error("the token's algorithm {0:?} is refused")]
    Algorithm(String),
    /// The token's `enc` is not accepted.
    #[error("the token's encryption {0:?} is refused")]
    Encryption(String),
    /// The token's header has a parameter that is not accepted: `zip`, `crit`, `b64`, or an unknown
    /// `typ`.
    #[error("the header parameter `{0}` is refused")]
    HeaderParameter(&'static str),
    /// No key is known for this token.
    #[error("no key is known for this token")]
    UnknownKey,
    /// More keys are eligible than are tried.
    #[error("more than {limit} keys match the token")]
    AmbiguousKey {
        /// Maximum number of keys that are tried.
        limit: usize,
    },
    /// The signature is not that of the key.
    #[error("the signature does not match")]
    Signature,
    /// The encrypted token is not authentic: it belongs to another key, or was altered.
    #[error("the token cannot be decrypted: it belongs to another key, or was altered")]
    Integrity,
    /// The credentials have expired.
    #[error("the credentials expired at {at} (Unix seconds)")]
    Expired {
        /// End of the credentials, in Unix seconds.
        at: u64,
    },
    /// The credentials are not valid yet.
    #[error("the credentials are not valid before {at} (Unix seconds)")]
    NotYetValid {
        /// Begin of the credentials, in Unix seconds.
        at: u64,
    },
    /// A claim is invalid.
    #[error("the claim `{claim}` {problem}")]
    Claim {
        /// Name of the claim.
        claim: &'static str,
        /// Problem of the claim.
        problem: ClaimProblem,
    },
    /// The claims name no user: none of `sub`, `id`, `email`.
    #[error("the claims name no user")]
    NoUser,
    /// No such session exists.
    #[error("the session does not exist")]
    UnknownSession,
    /// No such ticket exists, or the ticket was used.
    #[error("the ticket does not exist, or was used")]
    UnknownTicket,
    /// The keys cannot be loaded.
    #[error("failed to load the keys")]
    Keys(#[source] Arc<JwksError>),
    /// The session store failed.
    #[error("the session store failed")]
    Store(#[source] SharedError),
    /// An authenticator of the app's own refuses the credentials.
    #[error("the credentials are refused")]
    Refused(#[source] SharedError),
    /// An authenticator of the app's own cannot check credentials now.
    #[error("the credentials cannot be checked")]
    Unavailable(#[source] SharedError),
}

/// The problem of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ClaimProblem {
    /// The claim is required, and missing.
    #[error("is missing")]
    Missing,
    /// The claim has the wrong type.
    #[error("has the wrong type")]
    WrongType,
    /// The claim is a time after the year 9999. Most likely the time is in milliseconds; such a
    /// token would never end.
    #[error("is not a time in seconds")]
    OutOfRange,
    /// The claim has a value that is not accepted.
    #[error("has a value that is not accepted")]
    NotAccepted,
}

impl AuthError {
    /// Creates an error for credentials that an authenticator of the app's own refuses.
    pub fn refused(reason: impl Into<BoxError>) -> Self {
        Self::Refused(reason.into().into())
    }

    /// Creates an error for credentials that an authenticator of the app's own cannot check now.
    pub fn unavailable(reason: impl Into<BoxError>) -> Self {
        Self::Unavailable(reason.into().into())
    }

    /// Returns the part of the error that a client may learn.
    #[must_use]
    pub fn rejection(&self) -> AuthRejection {
        match self {
            Self::Expired { .. } => AuthRejection::Expired,
            Self::Keys(_) | Self::Store(_) | Self::Unavailable(_) => AuthRejection::Unavailable,
            _ => AuthRejection::Invalid,
        }
    }

    /// Returns a word for the variant, for metrics and for limits on how often the error is logged.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unrecognized => "unrecognized",
            Self::Repeated(_) => "repeated",
            Self::Ambiguous => "ambiguous",
            Self::TooMany { .. } => "too_many",
            Self::OpaqueSession => "opaque_session",
            Self::TooLong { .. } => "too_long",
            Self::TooManyChunks { .. } => "too_many_chunks",
            Self::MissingChunk { .. } => "missing_chunk",
            Self::Malformed(_) => "malformed",
            Self::Algorithm(_) => "algorithm",
            Self::Encryption(_) => "encryption",
            Self::HeaderParameter(_) => "header_parameter",
            Self::UnknownKey => "unknown_key",
            Self::AmbiguousKey { .. } => "ambiguous_key",
            Self::Signature => "signature",
            Self::Integrity => "integrity",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::Claim { .. } => "claim",
            Self::NoUser => "no_user",
            Self::UnknownSession => "unknown_session",
            Self::UnknownTicket => "unknown_ticket",
            Self::Keys(_) => "keys",
            Self::Store(_) => "store",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Shortens a word of a request so that a log can repeat it.
    pub(crate) fn excerpt(text: &str) -> String {
        text.chars().take(32).collect()
    }

    pub(crate) fn claim(claim: &'static str, problem: ClaimProblem) -> Self {
        Self::Claim { claim, problem }
    }
}
