//! The interface to authentication.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use sse_core::{Caller, ConnectErrorKind};

use crate::error::Error;

/// The functions of authentication that `createTicket` and `renew` require. With the feature
/// `access`, `Management::gate` provides an implementation.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// Returns the caller of a token in an input.
    ///
    /// # Errors
    /// Returns the cause for which the token is refused.
    async fn caller_of(&self, token: &str) -> Result<Caller, ConnectErrorKind>;

    /// Issues a ticket with which the caller opens one stream.
    ///
    /// # Errors
    /// Returns the error for the client if no ticket is issued.
    fn ticket_for(&self, caller: &Caller) -> Result<StreamTicket, Error>;
}

/// A one-time ticket for a stream.
#[derive(Clone)]
pub struct StreamTicket {
    /// Text that the client puts into its URL.
    pub text: String,
    /// Time during which the ticket can be used.
    pub lifetime: Duration,
}

/// Omits the text, which opens a stream.
impl fmt::Debug for StreamTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTicket")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
