//! What the API needs of authentication.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use sse_core::{Caller, ConnectErrorKind};

use crate::error::Error;

/// What `createTicket` and `renew` need of authentication. With the feature `access`,
/// `Management::gate` brings one.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// Who is meant by a token that stands in an input.
    ///
    /// # Errors
    /// Why nobody is.
    async fn caller_of(&self, token: &str) -> Result<Caller, ConnectErrorKind>;

    /// Gives out a ticket with which the caller opens one stream.
    ///
    /// # Errors
    /// Why none is given out, for the client.
    fn ticket_for(&self, caller: &Caller) -> Result<Ticket, Error>;
}

/// A one-time ticket for a stream.
#[derive(Clone)]
pub struct Ticket {
    /// What the client puts into its URL.
    pub text: String,
    /// For how long it can be used.
    pub lifetime: Duration,
}

/// Without the text, which opens a stream.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
