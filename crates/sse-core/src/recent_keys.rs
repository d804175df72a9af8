//! What was appended lately, by key.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

/// How long a key is remembered, unless too many come.
pub const KEY_WINDOW: Duration = Duration::from_secs(120);

/// So many keys are remembered; beyond them the oldest is forgotten before its time.
pub const MOST_KEYS: usize = 100_000;

/// Bytes of a key at most.
pub const MAX_KEY_BYTES: usize = 128;

/// What was appended within [`KEY_WINDOW`], by key; for backplanes whose storage does not do this itself. At most [`MOST_KEYS`].
#[derive(Debug)]
pub struct RecentKeys<T> {
    by_key: HashMap<Arc<str>, T>,
    /// Oldest first.
    arrivals: VecDeque<(Instant, Arc<str>)>,
}

impl<T> Default for RecentKeys<T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), arrivals: VecDeque::new() }
    }
}

impl<T> RecentKeys<T> {
    /// What a key stands for, if it came lately.
    pub fn get(&mut self, key: &str) -> Option<&T> {
        self.forget_old(Instant::now());
        self.by_key.get(key)
    }

    /// Remembers a key that is not there.
    pub fn insert(&mut self, key: Arc<str>, value: T) {
        self.insert_at(key, value, Instant::now());
    }

    /// Remembers a key that is not there and came at another time, for storage that is read again. Times must not fall from call to call.
    pub fn insert_at(&mut self, key: Arc<str>, value: T, at: Instant) {
        self.forget_old(at);
        if self.arrivals.len() >= MOST_KEYS {
            self.forget_first();
        }
        if self.by_key.insert(Arc::clone(&key), value).is_none() {
            self.arrivals.push_back((at, key));
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget_old(&mut self, now: Instant) {
        while self.arrivals.front().is_some_and(|(at, _)| now.duration_since(*at) >= KEY_WINDOW) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.arrivals.pop_front() {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_forgotten_after_its_window() {
        let mut keys = RecentKeys::default();
        keys.insert("a".into(), 1);
        tokio::time::advance(KEY_WINDOW / 2).await;
        keys.insert("b".into(), 2);
        tokio::time::advance(KEY_WINDOW / 2).await;
        assert_eq!(keys.get("a"), None);
        assert_eq!(keys.by_key.len(), 1);
        assert_eq!(keys.get("b"), Some(&2));
    }

    #[test]
    fn keys_are_bounded() {
        let mut keys = RecentKeys::default();
        (0..=MOST_KEYS).for_each(|key| keys.insert(key.to_string().into(), key));
        assert_eq!((keys.by_key.len(), keys.arrivals.len()), (MOST_KEYS, MOST_KEYS));
        assert_eq!(keys.get("0"), None);
        assert_eq!(keys.get("1"), Some(&1));
    }
}
