//! How long tickets live, and how many there may be.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::{
    clock::{Clock, SystemClock},
    tickets::{Inner, Tickets, Unused},
};

/// How long tickets live, and how many there may be: made by [`Tickets::builder`].
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
    /// With defaults for everything.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// With other limits.
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
    /// For how long a ticket can be used; default 30 s.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How many unused tickets a user may have (at least 1); default 16. The newest takes the place
    /// of the oldest.
    #[must_use]
    pub fn per_user(mut self, tickets: usize) -> Self {
        self.per_user = tickets.max(1);
        self
    }

    /// How many tickets may be unused, in all; default 100,000 (about 100 MB with small claims). No
    /// more are given out then.
    #[must_use]
    pub fn capacity(mut self, tickets: usize) -> Self {
        self.capacity = tickets;
        self
    }

    /// What time it is; default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// No tickets yet.
    #[must_use]
    pub fn build(self) -> Tickets {
        let Self {
            lifetime,
            per_user,
            capacity,
            clock,
        } = self;
        Tickets::from_inner(Inner {
            lifetime,
            per_user,
            capacity,
            clock,
            unused: Mutex::new(Unused::default()),
        })
    }
}
