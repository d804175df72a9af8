//! Wakers that wait for the end of a stream.

use std::task::Waker;

/// The wakers that wait for the end of a stream. Takes one word while no task waits.
#[derive(Debug, Default)]
pub(crate) struct EndWaiters(Option<Box<WaiterList>>);

#[derive(Debug, Default)]
struct WaiterList {
    wakers: Vec<(WatcherKey, Waker)>,
    next: u32,
}

/// Identifies a registered waker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WatcherKey(u32);

impl EndWaiters {
    /// Registers a waker under a key, which the first call assigns. Returns a waker for the caller
    /// to drop outside the lock.
    pub(crate) fn register(
        &mut self,
        key: &mut Option<WatcherKey>,
        waker: &Waker,
    ) -> Option<Waker> {
        let list = self.0.get_or_insert_default();
        let own = *key.get_or_insert_with(|| {
            list.next = list.next.wrapping_add(1);
            WatcherKey(list.next)
        });
        match list.wakers.iter_mut().find(|(known, _)| *known == own) {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(std::mem::replace(known, waker.clone())),
            None => {
                list.wakers.push((own, waker.clone()));
                None
            }
        }
    }

    /// Removes a waker and returns it for the caller to drop outside the lock.
    pub(crate) fn remove(&mut self, key: WatcherKey) -> Option<Waker> {
        let list = self.0.as_mut()?;
        let at = list.wakers.iter().position(|(known, _)| *known == key)?;
        let (_, waker) = list.wakers.swap_remove(at);
        // Keys can start again: no key is left in use.
        if list.wakers.is_empty() {
            self.0 = None;
        }
        Some(waker)
    }

    /// Returns `true` if no task waits and no key is in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Removes all wakers, for the caller to wake.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let wakers = self.0.as_mut().map(|list| std::mem::take(&mut list.wakers));
        wakers
            .unwrap_or_default()
            .into_iter()
            .map(|(_, waker)| waker)
    }
}
