//! A count of the bytes of request bodies in flight.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sse_core::UserId;

use crate::{error::Error, error_code::Code, limits::CallLimits};

/// Delay before another try after a body was rejected for lack of room.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The bytes of all request bodies in flight, with a bound on the total and on each caller.
///
/// A quarter of the total is reserved for managers, so that users together cannot keep a backend
/// from publishing.
#[derive(Debug)]
pub(crate) struct Bodies {
    total: usize,
    per_caller: usize,
    held: Mutex<Held>,
}

/// The bytes held. An entry exists only while a request of its caller is in flight.
#[derive(Debug, Default)]
struct Held {
    total: usize,
    /// Bytes held by callers that are not managers.
    unprivileged: usize,
    by_caller: HashMap<Holder, usize>,
}

/// The caller that a body counts against.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A backend or an admin; only the total bounds it.
    Manager,
    User(UserId),
    /// A caller without a user, identified by its network. Callers without an address share one
    /// entry.
    Address(Option<IpAddr>),
}

/// The share of one request. Dropping it returns the bytes.
#[derive(Debug)]
pub(crate) struct BodyShare {
    bodies: Arc<Bodies>,
    holder: Holder,
    bytes: usize,
}

impl Bodies {
    /// Creates the count. Bounds that a single body of the maximum size would exceed are raised.
    pub(crate) fn new(limits: &CallLimits) -> Self {
        let per_caller = limits.bodies_per_caller.max(limits.body);
        // Three quarters of the total are at least one caller's share.
        let total = limits
            .bodies
            .max(per_caller.saturating_add(per_caller.div_ceil(3)));
        Self {
            total,
            per_caller,
            held: Mutex::default(),
        }
    }

    /// Returns an empty share, which [`BodyShare::grow`] extends.
    pub(crate) fn share(self: &Arc<Self>, holder: Holder) -> BodyShare {
        BodyShare {
            bodies: Arc::clone(self),
            holder,
            bytes: 0,
        }
    }

    /// Returns the maximum number of bytes that callers other than managers can hold together.
    fn unprivileged(&self) -> usize {
        self.total - self.total / 4
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while the lock is held.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyShare {
    /// Extends the share to a number of bytes; does nothing if the share already has that size.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let mut held = self.bodies.held();
        let is_manager = self.holder == Holder::Manager;
        let own = held.by_caller.get(&self.holder).copied().unwrap_or(0);
        if !is_manager && own + more > self.bodies.per_caller {
            let message = "the calls of this caller have too many bytes in flight";
            return Err(Error::new(Code::TooManyRequests, message).retry_after(RETRY_AFTER));
        }
        let has_room = held.total + more <= self.bodies.total
            && (is_manager || held.unprivileged + more <= self.bodies.unprivileged());
        if !has_room {
            let message = "all calls have too many bytes in flight";
            return Err(Error::new(Code::ServiceUnavailable, message).retry_after(RETRY_AFTER));
        }
        held.total += more;
        if !is_manager {
            held.unprivileged += more;
        }
        held.by_caller.insert(self.holder.clone(), own + more);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut held = self.bodies.held();
        held.total -= self.bytes;
        if self.holder != Holder::Manager {
            held.unprivileged -= self.bytes;
        }
        if let Some(own) = held.by_caller.get_mut(&self.holder) {
            *own -= self.bytes;
            if *own == 0 {
                held.by_caller.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bodies() -> Arc<Bodies> {
        let mut limits = CallLimits::default();
        (limits.body, limits.bodies_per_caller, limits.bodies) = (10, 20, 100);
        Arc::new(Bodies::new(&limits))
    }

    fn holder(number: usize) -> Holder {
        match number {
            0 => Holder::Manager,
            1..8 => Holder::User(UserId::new(number.to_string()).unwrap()),
            _ => Holder::Address(Some([10, 0, 0, u8::try_from(number).unwrap()].into())),
        }
    }

    #[test]
    fn bounds_have_room_for_one_largest_body() {
        let mut limits = CallLimits::default();
        (limits.body, limits.bodies_per_caller, limits.bodies) = (1000, 1, 1);
        let bodies = Arc::new(Bodies::new(&limits));
        bodies.share(holder(1)).grow(1000).unwrap();
    }

    proptest! {
        /// Shares grow and are dropped in any order. The bounds hold throughout, and no bytes are
        /// held at the end.
        #[test]
        fn no_caller_exceeds_its_share_nor_all_the_total(
            steps in prop::collection::vec((0..16_usize, 1..30_usize, any::<bool>()), 0..200),
        ) {
            let bodies = bodies();
            let mut shares: Vec<BodyShare> = Vec::new();
            for (number, bytes, drops) in steps {
                if drops && !shares.is_empty() {
                    shares.swap_remove(bytes % shares.len());
                    continue;
                }
                let mut share = bodies.share(holder(number));
                let own: usize = shares.iter().filter(|it| it.holder == share.holder).map(|it| it.bytes).sum();
                let all: usize = shares.iter().map(|it| it.bytes).sum();
                let users: usize =
                    shares.iter().filter(|it| it.holder != Holder::Manager).map(|it| it.bytes).sum();
                let is_manager = share.holder == Holder::Manager;
                let expected = if !is_manager && own + bytes > 20 {
                    Some(Code::TooManyRequests)
                } else if all + bytes > 100 || !is_manager && users + bytes > 75 {
                    Some(Code::ServiceUnavailable)
                } else {
                    None
                };
                prop_assert_eq!(share.grow(bytes).err().map(|error| error.code()), expected);
                shares.push(share);
            }
            drop(shares);
            let held = bodies.held();
            prop_assert_eq!((held.total, held.unprivileged, held.by_caller.len()), (0, 0, 0));
        }
    }
}
