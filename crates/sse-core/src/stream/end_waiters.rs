//! Who waits for the end of a stream.

use std::task::Waker;

/// Those who wait for the end of a stream; one word while nobody does.
#[derive(Debug, Default)]
pub(crate) struct EndWaiters(Option<Box<List>>);

#[derive(Debug, Default)]
struct List {
    wakers: Vec<(WatcherKey, Waker)>,
    next: u32,
}

/// Whose waker it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WatcherKey(u32);

impl EndWaiters {
    /// Keeps a waker under a key that is given at the first time. Gives a waker to drop outside of
    /// the lock.
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

    /// Forgets a waker, and gives it to be dropped outside of the lock.
    pub(crate) fn remove(&mut self, key: WatcherKey) -> Option<Waker> {
        let list = self.0.as_mut()?;
        let at = list.wakers.iter().position(|(known, _)| *known == key)?;
        let (_, waker) = list.wakers.swap_remove(at);
        // Keys may begin anew: nobody is left who has one.
        if list.wakers.is_empty() {
            self.0 = None;
        }
        Some(waker)
    }

    /// Whether nobody waits, and nobody has a key.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Takes all wakers out, to be woken.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let wakers = self.0.as_mut().map(|list| std::mem::take(&mut list.wakers));
        wakers
            .unwrap_or_default()
            .into_iter()
            .map(|(_, waker)| waker)
    }
}
