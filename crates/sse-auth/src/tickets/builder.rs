//! Settings for tickets.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::{
    clock::{Clock, SystemClock},
    tickets::{TicketStore, Tickets, Unused},
};

/// A builder for [`Tickets`], created by [`Tickets::builder`]: lifetime and maximum number of
/// tickets.
#[derive(Debug, Clone)]
pub struct TicketsBuilder {
    lifetime: Duration,
    per_user: usize,
    capacity: usize,
    clock: Arc<dyn Clock>,
}

impl Default for TicketsBuilder {
    fn default() -> Self {
        let clock = SystemClock::shared();
        Self {
            lifetime: Duration::from_secs(30),
            per_user: 16,
            capacity: 100_000,
            clock,
        }
    }
}

impl Tickets {
    /// Creates an issuer with default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder for other limits.
    pub fn builder() -> TicketsBuilder {
        TicketsBuilder::default()
    }
}

impl Default for Tickets {
    fn default() -> Self {
        Self::new()
    }
}

impl TicketsBuilder {
    /// Sets how long a ticket can be used; default 30 s.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the maximum number of unused tickets of a user (at least 1); default 16. The newest
    /// ticket replaces the oldest.
    #[must_use]
    pub fn per_user(mut self, tickets: usize) -> Self {
        self.per_user = tickets.max(1);
        self
    }

    /// Sets the maximum number of unused tickets in all; default 100,000 (about 100 MB with small
    /// claims). At the limit, no further tickets are issued.
    #[must_use]
    pub fn capacity(mut self, tickets: usize) -> Self {
        self.capacity = tickets;
        self
    }

    /// Sets the clock; default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Creates the issuer, without tickets.
    #[must_use]
    pub fn build(self) -> Tickets {
        let Self {
            lifetime,
            per_user,
            capacity,
            clock,
        } = self;
        Tickets::from_inner(TicketStore {
            lifetime,
            per_user,
            capacity,
            clock,
            unused: Mutex::new(Unused::default()),
        })
    }
}
