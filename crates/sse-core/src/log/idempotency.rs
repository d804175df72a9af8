//! Recent appends, by idempotency key.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::log::{
    entry_key::{EntryKey, user_of},
    key_limits::{KeyBound, KeysFull},
};

/// Time for which a key is remembered.
pub const KEY_WINDOW: Duration = Duration::from_secs(120);

/// Maximum number of expired keys that one call removes, so that no call takes long.
const REMOVED_AT_ONCE: usize = 256;

/// A map of the entries appended within [`KEY_WINDOW`], by the [text](EntryKey::text) of their
/// keys. For backplanes whose storage does not remember keys itself.
///
/// No key is forgotten before its time. To bound memory, call [`IdempotencyKeys::check_room`]
/// before each insertion.
///
/// ```
/// use std::sync::Arc;
///
/// use sse_core::{access::KeyScope, backplane::{EntryKey, IdempotencyKeys, Position}, config::KeyLimits};
///
/// let mut keys = IdempotencyKeys::<Position>::default();
/// let key = EntryKey::new(&KeyScope::App, "order-7-paid", KeyLimits::default())?;
/// assert_eq!(keys.get(key.text()), None);
///
/// keys.check_room(&key)?;
/// keys.insert(Arc::clone(key.text()), Position::from(12));
/// assert_eq!(keys.get(key.text()), Some(&Position::from(12)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct IdempotencyKeys<T> {
    by_key: HashMap<Arc<str>, (Instant, T)>,
    backends: Arrivals,
    users: Arrivals,
    /// Arrival times of each user's keys, the oldest first, by the digest of the user.
    by_user: HashMap<Box<str>, VecDeque<Instant>>,
}

/// Keys with their arrival times, the oldest first.
type Arrivals = VecDeque<(Instant, Arc<str>)>;

impl<T> Default for IdempotencyKeys<T> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            backends: VecDeque::new(),
            users: VecDeque::new(),
            by_user: HashMap::new(),
        }
    }
}

/// Omits the keys, which belong to callers.
impl<T> fmt::Debug for IdempotencyKeys<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKeys")
            .field("len", &self.by_key.len())
            .finish_non_exhaustive()
    }
}

impl<T> IdempotencyKeys<T> {
    /// Returns the value of a key that arrived within [`KEY_WINDOW`].
    pub fn get(&mut self, key: &str) -> Option<&T> {
        let now = Instant::now();
        self.remove_old(now);
        self.by_key
            .get(key)
            .filter(|(at, _)| !is_old(*at, now))
            .map(|(_, value)| value)
    }

    /// Checks that a new key can be remembered.
    ///
    /// # Errors
    /// [`KeysFull`] if the number of keys of the key's user, of all users or of the app has reached
    /// the [limits](EntryKey::limits) of the key.
    pub fn check_room(&mut self, key: &EntryKey) -> Result<(), KeysFull> {
        let now = Instant::now();
        self.remove_old(now);
        let limits = key.limits();
        let full = |bound, oldest: Option<Instant>| {
            let wait = oldest.map_or(KEY_WINDOW, |at| {
                KEY_WINDOW.saturating_sub(now.duration_since(at))
            });
            Err(KeysFull::new(bound, limits, wait))
        };
        let Some(user) = key.user() else {
            return match self.backends.len() >= limits.of_backends {
                true => full(KeyBound::OfBackends, first(&self.backends)),
                false => Ok(()),
            };
        };
        if let Some(own) = self.by_user.get_mut(user) {
            while own.pop_front_if(|at| is_old(*at, now)).is_some() {}
            if own.len() >= limits.per_user {
                return full(KeyBound::PerUser, own.front().copied());
            }
        }
        if self.users.len() >= limits.of_users {
            return full(KeyBound::OfUsers, first(&self.users));
        }
        Ok(())
    }

    /// Remembers a new key.
    pub fn insert(&mut self, key: Arc<str>, value: T) {
        self.insert_at(key, value, Instant::now());
    }

    /// Remembers a new key with an arrival time, for storage that is read again. Times must not
    /// decrease from call to call.
    pub fn insert_at(&mut self, key: Arc<str>, value: T, at: Instant) {
        self.remove_old(at);
        self.by_key.insert(Arc::clone(&key), (at, value));
        match user_of(&key) {
            None => self.backends.push_back((at, key)),
            Some(user) => {
                match self.by_user.get_mut(user) {
                    Some(own) => own.push_back(at),
                    None => drop(self.by_user.insert(user.into(), VecDeque::from([at]))),
                }
                self.users.push_back((at, key));
            }
        }
    }

    /// Removes the key that was inserted last, not counting keys that were taken back since. For
    /// keys under which nothing was appended.
    pub fn take_back(&mut self, key: &str) {
        let user = user_of(key);
        let arrivals = if user.is_some() {
            &mut self.users
        } else {
            &mut self.backends
        };
        if arrivals
            .pop_back_if(|(_, latest)| **latest == *key)
            .is_none()
        {
            return;
        }
        self.by_key.remove(key);
        if let Some(user) = user
            && let Some(own) = self.by_user.get_mut(user)
        {
            own.pop_back();
            if own.is_empty() {
                self.by_user.remove(user);
            }
        }
    }

    /// Returns `true` if no key is remembered.
    pub fn is_empty(&mut self) -> bool {
        self.remove_old(Instant::now());
        self.by_key.is_empty()
    }

    /// Removes all keys.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn remove_old(&mut self, now: Instant) {
        for _ in 0..REMOVED_AT_ONCE {
            let Some((at, key)) = self.backends.pop_front_if(|(at, _)| is_old(*at, now)) else {
                break;
            };
            self.remove(at, &key);
        }
        for _ in 0..REMOVED_AT_ONCE {
            let Some((at, key)) = self.users.pop_front_if(|(at, _)| is_old(*at, now)) else {
                break;
            };
            self.remove(at, &key);
            if let Some(user) = user_of(&key) {
                self.remove_of_user(at, user);
            }
        }
        if self.by_key.is_empty() && self.by_key.capacity() > REMOVED_AT_ONCE {
            self.clear();
        }
    }

    /// Removes a key, unless the key arrived again since.
    fn remove(&mut self, arrived: Instant, key: &str) {
        if self.by_key.get(key).is_some_and(|(at, _)| *at == arrived) {
            self.by_key.remove(key);
        }
    }

    fn remove_of_user(&mut self, arrived: Instant, user: &str) {
        let Some(own) = self.by_user.get_mut(user) else {
            return;
        };
        while own.pop_front_if(|at| *at <= arrived).is_some() {}
        if own.is_empty() {
            self.by_user.remove(user);
        }
    }
}

fn is_old(at: Instant, now: Instant) -> bool {
    now.duration_since(at) >= KEY_WINDOW
}

fn first(arrivals: &Arrivals) -> Option<Instant> {
    arrivals.front().map(|(at, _)| *at)
}

#[cfg(all(test, not(loom)))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use tokio::time::advance;

    use super::*;
    use crate::{
        id::{key_scope::KeyScope, names::UserId},
        log::key_limits::KeyLimits,
    };

    const LIMITS: KeyLimits = KeyLimits {
        per_user: 3,
        of_users: 5,
        of_backends: 4,
    };

    #[expect(clippy::needless_pass_by_value, reason = "calls are shorter")]
    fn key(user: Option<&str>, key: impl ToString) -> EntryKey {
        let scope = user.map_or(KeyScope::App, |user| {
            KeyScope::User(UserId::new(user).unwrap())
        });
        EntryKey::new(&scope, &key.to_string(), LIMITS).unwrap()
    }

    /// Inserts a new key, if there is room.
    fn insert(keys: &mut IdempotencyKeys<usize>, key: &EntryKey) -> Result<(), KeysFull> {
        assert_eq!(keys.get(key.text()), None);
        keys.check_room(key)?;
        keys.insert(Arc::clone(key.text()), 1);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn key_is_forgotten_after_its_window() {
        let mut keys = IdempotencyKeys::default();
        keys.insert("a".into(), 1);
        advance(KEY_WINDOW / 2).await;
        keys.insert("b".into(), 2);
        advance(KEY_WINDOW / 2).await;
        assert_eq!(keys.get("a"), None);
        assert_eq!(keys.by_key.len(), 1);
        assert_eq!(keys.get("b"), Some(&2));
    }

    #[tokio::test(start_paused = true)]
    async fn full_table_rejects_and_forgets_no_key() {
        let mut keys = IdempotencyKeys::default();
        for number in 0..3 {
            insert(&mut keys, &key(Some("a"), number)).unwrap();
            advance(Duration::from_secs(10)).await;
        }
        let full = insert(&mut keys, &key(Some("a"), 3)).unwrap_err();
        assert_eq!((full.bound, full.limit), (KeyBound::PerUser, 3));
        assert_eq!(
            full.retry_after,
            Duration::from_secs(90),
            "the delay lasts until the first key expires"
        );
        for number in 0..2 {
            insert(&mut keys, &key(Some("b"), number)).unwrap();
        }
        for other in ["b", "c"] {
            let full = insert(&mut keys, &key(Some(other), 2)).unwrap_err();
            assert_eq!((full.bound, full.limit), (KeyBound::OfUsers, 5));
        }
        for number in 0..4 {
            insert(&mut keys, &key(None, number)).unwrap();
        }
        let full = insert(&mut keys, &key(None, 4)).unwrap_err();
        assert_eq!((full.bound, full.limit), (KeyBound::OfBackends, 4));
        let all = [(Some("a"), 3), (Some("b"), 2), (None, 4)];
        let all = all
            .iter()
            .flat_map(|(user, count)| (0..*count).map(|number| key(*user, number)));
        all.for_each(|key| assert_eq!(keys.get(key.text()), Some(&1), "{key:?}"));
        advance(Duration::from_secs(90)).await;
        insert(&mut keys, &key(Some("a"), 3)).unwrap();
        insert(&mut keys, &key(Some("a"), 4)).unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn capacity_returns_when_many_keys_expire_at_once() {
        let mut keys = IdempotencyKeys::default();
        let of = |user: usize, number: usize| {
            let limits = KeyLimits {
                per_user: 1000,
                of_users: 10_000,
                of_backends: 10_000,
            };
            let user = KeyScope::User(UserId::new(user.to_string()).unwrap());
            EntryKey::new(&user, &number.to_string(), limits).unwrap()
        };
        for user in 0..10 {
            (0..1000).for_each(|number| insert(&mut keys, &of(user, number)).unwrap());
        }
        insert(&mut keys, &of(10, 0)).unwrap_err();
        advance(KEY_WINDOW).await;
        // Includes users whose old keys are removed last.
        for user in (0..10).rev() {
            (0..1000).for_each(|number| insert(&mut keys, &of(user, number)).unwrap());
            assert_eq!(
                insert(&mut keys, &of(user, 1000)).unwrap_err().bound,
                KeyBound::PerUser
            );
        }
        advance(KEY_WINDOW).await;
        (0..100).for_each(|_| assert_eq!(keys.get("any"), None));
        assert_eq!(
            (keys.by_key.capacity(), keys.by_user.len(), keys.users.len()),
            (0, 0, 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn withdrawn_keys_leave_no_trace() {
        let mut keys = IdempotencyKeys::default();
        let (first, user, app) = (key(Some("a"), 0), key(Some("a"), 1), key(None, 1));
        [&first, &user, &app]
            .into_iter()
            .for_each(|key| insert(&mut keys, key).unwrap());
        [&app, &user]
            .into_iter()
            .for_each(|key| keys.take_back(key.text()));
        [&app, &user]
            .into_iter()
            .for_each(|key| assert_eq!(keys.get(key.text()), None));
        assert_eq!(keys.get(first.text()), Some(&1));
        assert_eq!(
            (keys.by_key.len(), keys.users.len(), keys.backends.len()),
            (1, 1, 0)
        );
        keys.take_back(first.text());
        assert!(keys.by_user.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn reused_key_starts_a_new_window() {
        let mut keys = IdempotencyKeys::default();
        keys.insert("a".into(), 1);
        advance(KEY_WINDOW).await;
        assert_eq!(keys.get("a"), None);
        keys.insert("a".into(), 2);
        advance(KEY_WINDOW - Duration::from_secs(1)).await;
        assert_eq!(keys.get("a"), Some(&2));
    }
}
