//! Why credentials are refused, for logs.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    app_error::{BoxError, SharedError},
    jwt::jwks_error::JwksError,
    rejection::Rejection,
};

/// Why credentials are refused: for logs, not for clients, who get its [`refusal`](Self::refusal).
///
/// It never repeats a token, a secret or a claim's value; what it repeats of a request is short and
/// escaped.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Credentials were presented that no authenticator is responsible for.
    #[error("credentials that no authenticator is responsible for")]
    Unrecognized,
    /// Something that may be given once is given several times.
    #[error("{0} is given more than once")]
    Repeated(&'static str),
    /// Several credentials verify, and name different users.
    #[error("credentials of different users are presented together")]
    Ambiguous,
    /// More credentials are presented than are tried.
    #[error("more than {limit} credentials are presented, or too large ones")]
    TooMany {
        /// Maximum number of credentials.
        limit: usize,
    },
    /// A session cookie holds an opaque id, as sites with sessions in a database have it, and no
    /// encrypted token.
    #[error(
        "the session cookie holds an opaque id, as of a session in a database, and no encrypted token"
    )]
    OpaqueSession,
    /// The token is longer than allowed.
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// How many bytes are allowed.
        limit: usize,
    },
    /// A session is spread over more cookies than allowed.
    #[error("the session is spread over more than {limit} cookies")]
    TooManyChunks {
        /// How many are allowed.
        limit: usize,
    },
    /// A session is spread over several cookies, and one of them is not there.
    #[error("chunk {chunk} of the session cookie is missing")]
    MissingChunk {
        /// The number of the first that is missing, from 0.
        chunk: usize,
    },
    /// It is no token.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// The token's `alg` is not one that its key is for, or none that is accepted at all.
    #[error("the token's algorithm {0:?} is refused")]
    Algorithm(String),
    /// The token's `enc` is not accepted.
    #[error("the token's encryption {0:?} is refused")]
    Encryption(String),
    /// The token's header has a parameter that is not accepted: `zip`, `crit`, `b64`, or an unknown
    /// `typ`.
    #[error("the header parameter `{0}` is refused")]
    HeaderParameter(&'static str),
    /// There is no key for this token.
    #[error("there is no key for this token")]
    UnknownKey,
    /// More keys could be meant than are tried.
    #[error("more than {limit} keys could be meant")]
    AmbiguousKey {
        /// How many are tried.
        limit: usize,
    },
    /// The signature is not that of the key.
    #[error("the signature does not match")]
    Signature,
    /// The encrypted token is not authentic: another key, or altered.
    #[error("the token cannot be decrypted: another key, or altered")]
    Integrity,
    /// The credentials were good until then.
    #[error("expired at {at} (Unix seconds)")]
    Expired {
        /// Unix seconds.
        at: u64,
    },
    /// The credentials will be good from then on.
    #[error("not valid before {at} (Unix seconds)")]
    NotYetValid {
        /// Unix seconds.
        at: u64,
    },
    /// Something is wrong with a claim.
    #[error("the claim `{claim}` {problem}")]
    Claim {
        /// Its name.
        claim: &'static str,
        /// What is wrong with it.
        problem: ClaimProblem,
    },
    /// The claims name no user: none of `sub`, `id`, `email`.
    #[error("the claims name no user")]
    NoUser,
    /// There is no such session.
    #[error("there is no such session")]
    UnknownSession,
    /// There is no such ticket, or it was used.
    #[error("there is no such ticket, or it was used")]
    UnknownTicket,
    /// The keys cannot be loaded.
    #[error("the keys cannot be loaded")]
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

/// What is wrong with a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ClaimProblem {
    /// It is required, and not there.
    #[error("is missing")]
    Missing,
    /// It is not of the right type.
    #[error("has the wrong type")]
    WrongType,
    /// It is a time after the year 9999: milliseconds, most likely, with which a token would never
    /// end.
    #[error("is no time in seconds")]
    OutOfRange,
    /// It has a value that is not accepted.
    #[error("has a value that is not accepted")]
    NotAccepted,
}

impl AuthError {
    /// An authenticator of the app's own refuses the credentials.
    pub fn refused(reason: impl Into<BoxError>) -> Self {
        Self::Refused(reason.into().into())
    }

    /// An authenticator of the app's own cannot check credentials now.
    pub fn unavailable(reason: impl Into<BoxError>) -> Self {
        Self::Unavailable(reason.into().into())
    }

    /// What a client may learn of it.
    #[must_use]
    pub fn refusal(&self) -> Rejection {
        match self {
            Self::Expired { .. } => Rejection::Expired,
            Self::Keys(_) | Self::Store(_) | Self::Unavailable(_) => Rejection::Unavailable,
            _ => Rejection::Invalid,
        }
    }

    /// A word for the variant, for metrics and for limits on how often it is logged.
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

    /// A word of a request that may be repeated in a log: short.
    pub(crate) fn excerpt(text: &str) -> String {
        text.chars().take(32).collect()
    }

    pub(crate) fn claim(claim: &'static str, problem: ClaimProblem) -> Self {
        Self::Claim { claim, problem }
    }
}
