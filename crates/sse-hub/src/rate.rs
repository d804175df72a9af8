//! How often somebody may do something.

use std::{
    fmt,
    hash::Hash,
    num::NonZeroU32,
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::{Deserialize, Deserializer, de};

use crate::values;

/// After so many questions, whoever has not asked for a while is forgotten.
const SWEEP: usize = 4096;

/// How often something may be done: `20/1s`, `600/10m`. All of it may be done at once; it comes back evenly over the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    times: NonZeroU32,
    within: Duration,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "should be a number of times and a duration, as 20/1s or 600/10m".to_owned();
        let (times, within) = text.split_once('/').ok_or_else(wrong)?;
        let rate = Self {
            times: times.trim().parse().map_err(|_| wrong())?,
            within: values::in_words(within.trim()).map_err(|_| wrong())?,
        };
        // What governor counts in: nanoseconds for one time.
        if rate.quota().is_some() { Ok(rate) } else { Err(wrong()) }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Rate {
    fn quota(self) -> Option<Quota> {
        Quota::with_period(self.within / self.times.get()).map(|quota| quota.allow_burst(self.times))
    }
}

/// Counts for each of many.
pub(crate) struct RateLimit<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    asked: AtomicUsize,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    pub(crate) fn new(rate: Rate) -> Option<Self> {
        Some(Self { limiter: RateLimiter::keyed(rate.quota()?), asked: AtomicUsize::new(0) })
    }

    /// Whether somebody may do it so many times more now: all of them or none.
    pub(crate) fn allows(&self, who: &K, times: usize) -> bool {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let Some(times) = u32::try_from(times).ok().and_then(NonZeroU32::new) else { return times == 0 };
        matches!(self.limiter.check_key_n(who, times), Ok(Ok(())))
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for RateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("known", &self.limiter.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_duration() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(rate("20/1s").unwrap().within, Duration::from_secs(1));
        assert_eq!(rate("600 / 10m").unwrap().times.get(), 600);
        for text in ["", "20", "0/1s", "-1/1s", "20/", "20/0s", "x/1s", "20/soon", "4000000000/1ns"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_has_its_own_and_those_who_rest_are_forgotten() {
        let limit = RateLimit::new("3/1ms".parse().unwrap()).unwrap();
        for who in 0..SWEEP {
            assert!(limit.allows(&who, 1), "the first time of {who}");
        }
        std::thread::sleep(Duration::from_millis(5));
        assert!((0..SWEEP).filter(|_| limit.allows(&0, 1)).count() > 0);
        assert!(limit.limiter.len() < SWEEP / 2, "{}", limit.limiter.len());

        let limit = RateLimit::new("2/1h".parse().unwrap()).unwrap();
        assert_eq!([1, 1, 1, 2].map(|who| limit.allows(&who, 1)), [true, true, false, true]);
        assert_eq!([3, 2, 1, 0].map(|times| limit.allows(&3, times)), [false, true, false, true]);
    }
}
