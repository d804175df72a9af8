//! One-time tickets for `EventSource`, which cannot send headers.

pub(crate) mod builder;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    authenticator::Authenticator,
    claims,
    clock::Clock,
    error::AuthError,
    identity::{Credential, Identity},
    jwt::base64url,
    request::{RequestView, candidates::Candidates},
    verdict::Verdict,
};

/// Length of a ticket, in bytes: 256 random bits cannot be guessed.
const BYTES: usize = 32;

/// Maximum number of tickets in one request.
const MAX_PRESENTED: usize = 4;

/// Issues one-time tickets, and recognises callers by a ticket in the query parameter `ticket`. A
/// clone is cheap and shares the tickets.
///
/// An `EventSource` cannot send headers, and a token in a URL ends up in logs, histories and
/// `Referer`. So a client that has a token makes a call, with the token in its header, and receives
/// a ticket: short-lived (30 s), for one use, worthless afterwards. A stream that was opened with a
/// ticket ends when the credentials end with which the ticket was requested.
///
/// Tickets are in the memory of this process, as SHA-256. A ticket is unknown to other nodes. With
/// several nodes, the stream must reach the node that issued the ticket (by a load balancer that is
/// sticky by the client's cookie or address), or be opened with `fetch` and the token in a header.
/// A client whose ticket is unknown requests another. Tickets do not survive a restart, which is
/// acceptable for a lifetime of 30 s.
///
/// ```
/// use sse_auth::{Credential, Identity, Tickets};
///
/// let tickets = Tickets::new();
/// let ticket = tickets.issue(&Identity::new("42", Credential::Bearer))?;
///
/// assert_eq!(tickets.take(ticket.as_str())?.user.as_deref(), Some("42"));
/// assert!(tickets.take(ticket.as_str()).is_err()); // a ticket is valid once
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tickets {
    inner: Arc<TicketStore>,
}

/// A ticket, for its client alone: debug output hides the ticket.
///
/// ```
/// use std::time::Duration;
///
/// use sse_auth::{Credential, Identity, Tickets};
///
/// let ticket = Tickets::new().issue(&Identity::new("42", Credential::Bearer))?;
/// let url = format!("/api/sse?ticket={}", ticket.as_str());
/// assert_eq!(ticket.lifetime(), Duration::from_secs(30));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ticket {
    text: Zeroizing<String>,
    lifetime: Duration,
}

/// The reason for which no ticket is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TicketError {
    /// The caller is not a user, and needs no ticket.
    #[error("the caller is not a user")]
    NoUser,
    /// The caller was recognised by a ticket. A ticket that led to the next ticket would never end.
    #[error("the caller was recognised by a ticket")]
    ByTicket,
    /// The credentials of the caller have ended.
    #[error("the credentials have expired")]
    Expired,
    /// The number of unused tickets has reached the limit.
    #[error("the limit of {limit} unused tickets is reached")]
    Full {
        /// Maximum number of unused tickets.
        limit: usize,
    },
}

pub(crate) struct TicketStore {
    pub(crate) lifetime: Duration,
    pub(crate) per_user: usize,
    pub(crate) capacity: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) unused: Mutex<Unused>,
}

type Digest = [u8; 32];

/// The end of a ticket and its number, because several tickets can end at the same time.
type TicketEnd = (Duration, u64);

/// The issued tickets. Each ticket is in all three maps, or in none.
#[derive(Default)]
pub(crate) struct Unused {
    tickets: HashMap<Digest, IssuedTicket>,
    ends: BTreeMap<TicketEnd, Digest>,
    /// The tickets of each user, the oldest first.
    users: HashMap<String, VecDeque<Digest>>,
    issued: u64,
}

struct IssuedTicket {
    identity: Identity,
    user: String,
    end: TicketEnd,
}

impl Tickets {
    pub(crate) fn from_inner(inner: TicketStore) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Issues a ticket for a caller. If a user has too many unused tickets, the newest replaces the
    /// oldest. If the caller has no login, a `sid` or `jti` among its claims is used instead.
    ///
    /// # Errors
    ///
    /// Returns an error if the caller is not a user, was recognised by a ticket, or has expired,
    /// and if the maximum number of tickets is unused.
    pub fn issue(&self, identity: &Identity) -> Result<Ticket, TicketError> {
        let user = identity.user.clone().ok_or(TicketError::NoUser)?;
        if identity.credential == Credential::Ticket {
            return Err(TicketError::ByTicket);
        }
        if identity
            .expires_at
            .is_some_and(|at| at <= self.inner.clock.unix())
        {
            return Err(TicketError::Expired);
        }
        let bytes = Zeroizing::new(rand::random::<[u8; BYTES]>());
        let text = Zeroizing::new(base64url::encode(&*bytes));
        let mut identity = Identity {
            credential: Credential::Ticket,
            ..identity.clone()
        };
        if let Some(login) = claims::login(&identity.claims)
            .filter(|_| identity.login.is_none())
            .map(str::to_owned)
        {
            identity = identity.login(login);
        }
        let now = self.inner.clock.elapsed();
        let mut unused = self.inner.unused.lock();
        unused.make_room(&user, now, &self.inner)?;
        unused.put(
            digest(&text),
            identity,
            user,
            now.saturating_add(self.inner.lifetime),
        );
        Ok(Ticket {
            text,
            lifetime: self.inner.lifetime,
        })
    }

    /// Uses up a ticket, and returns the identity of its user. If several callers present the
    /// ticket at the same time, one succeeds.
    ///
    /// # Errors
    ///
    /// Returns [`AuthError::UnknownTicket`], or [`AuthError::Expired`] if the ticket or the
    /// credentials with which it was requested have ended.
    pub fn take(&self, ticket: &str) -> Result<Identity, AuthError> {
        let taken = self.inner.unused.lock().take(&digest(ticket));
        let IssuedTicket {
            identity,
            end: (until, _),
            ..
        } = taken.ok_or(AuthError::UnknownTicket)?;
        let (now, unix) = (self.inner.clock.elapsed(), self.inner.clock.unix());
        if until <= now {
            return Err(AuthError::Expired {
                at: unix.saturating_sub((now - until).as_secs()),
            });
        }
        match identity.expires_at {
            Some(at) if at <= unix => Err(AuthError::Expired { at }),
            _ => Ok(identity),
        }
    }
}

/// Returns the digest by which tickets are found, so that timing reveals nothing about a ticket.
fn digest(ticket: &str) -> Digest {
    Sha256::digest(ticket).into()
}

impl Unused {
    /// Removes expired tickets, and a user's oldest ticket if the user has too many. So no user
    /// takes the room of others.
    fn make_room(
        &mut self,
        user: &str,
        now: Duration,
        limits: &TicketStore,
    ) -> Result<(), TicketError> {
        while let Some(digest) = self
            .ends
            .first_key_value()
            .filter(|(end, _)| end.0 <= now)
            .map(|(_, digest)| *digest)
        {
            self.take(&digest);
        }
        let own = self
            .users
            .get(user)
            .filter(|own| own.len() >= limits.per_user);
        if let Some(oldest) = own.and_then(|own| own.front().copied()) {
            self.take(&oldest);
        }
        match self.tickets.len() {
            unused if unused >= limits.capacity => Err(TicketError::Full {
                limit: limits.capacity,
            }),
            _ => Ok(()),
        }
    }

    fn put(&mut self, digest: Digest, identity: Identity, user: String, until: Duration) {
        self.issued += 1;
        let end = (until, self.issued);
        self.ends.insert(end, digest);
        self.users
            .entry(user.clone())
            .or_default()
            .push_back(digest);
        self.tickets.insert(
            digest,
            IssuedTicket {
                identity,
                user,
                end,
            },
        );
    }

    fn take(&mut self, digest: &Digest) -> Option<IssuedTicket> {
        let entry = self.tickets.remove(digest)?;
        self.ends.remove(&entry.end);
        if let Some(own) = self.users.get_mut(&entry.user) {
            own.retain(|other| other != digest);
            if own.is_empty() {
                self.users.remove(&entry.user);
            }
        }
        Some(entry)
    }
}

#[async_trait]
impl Authenticator for Tickets {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        let mut tickets = Candidates::at_most(MAX_PRESENTED);
        request
            .query_values("ticket")
            .try_for_each(|ticket| tickets.push(ticket))?;
        if tickets.iter().next().is_none() && request.query_values("ticket").next().is_some() {
            return Err(AuthError::UnknownTicket);
        }
        let mut verdict = Verdict::new();
        for ticket in tickets.iter() {
            verdict.add(self.take(ticket).map(Some))?;
        }
        verdict.finish()
    }
}

impl Ticket {
    /// Returns the text for the client: 43 characters that need no escaping in a URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns how long the ticket can be used.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unused = self.inner.unused.lock().tickets.len();
        f.debug_struct("Tickets")
            .field("unused", &unused)
            .finish_non_exhaustive()
    }
}
