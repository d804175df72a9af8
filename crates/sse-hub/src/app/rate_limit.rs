//! Rate limits per caller.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    num::NonZeroU32,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Deserializer, de};

use crate::settings::values;

/// Maximum number of callers that one limit remembers. Above the maximum, the limit forgets the
/// callers that are closest to their full allowance.
const MAX_KNOWN: usize = 100_000;

/// Number of callers above which the limit searches for callers with their full allowance and
/// forgets them.
const SWEEP: usize = 4096;

/// A number of times within a period, as `20/1s` or `600/10m`, or no limit, as `none`. A caller can
/// use the whole number at once. The allowance then refills evenly over the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    Unlimited,
    Limited { times: NonZeroU32, within: Duration },
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "must be a number and a duration, as in 20/1s or 600/10m, or none".to_owned();
        if text.trim() == "none" {
            return Ok(Self::Unlimited);
        }
        let (times, within) = text.split_once('/').ok_or_else(wrong)?;
        let times = times.trim().parse().map_err(|_| wrong())?;
        let within = values::in_words(within.trim()).map_err(|_| wrong())?;
        let rate = Self::Limited { times, within };
        if rate.interval().is_some_and(|interval| interval > 0) {
            Ok(rate)
        } else {
            Err(wrong())
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl Rate {
    /// Returns a rate of this number of times a minute.
    pub(crate) fn per_minute(times: u32) -> Self {
        let within = Duration::from_secs(60);
        NonZeroU32::new(times).map_or(Self::Unlimited, |times| Self::Limited { times, within })
    }

    /// Returns the number of times that a caller can use at once, or `None` without a limit.
    pub(crate) fn at_once(self) -> Option<u32> {
        match self {
            Self::Unlimited => None,
            Self::Limited { times, .. } => Some(times.get()),
        }
    }

    /// Returns the time in nanoseconds in which the allowance refills by one.
    fn interval(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Limited { times, within } => {
                u64::try_from((within / times.get()).as_nanos()).ok()
            }
        }
    }
}

/// A rate limit with a separate allowance for each caller.
pub(crate) struct RateLimit<K> {
    interval: u64,
    at_once: u64,
    start: Instant,
    known: Mutex<CallerAllowance<K>>,
}

struct CallerAllowance<K> {
    /// Nanoseconds from the start to the moment at which a caller has its full allowance again.
    whole_at: HashMap<K, u64>,
    sweep_at: usize,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    /// Creates a limit, or returns `None` for a rate without one.
    pub(crate) fn new(rate: Rate) -> Option<Self> {
        let interval = rate.interval()?;
        let at_once = interval.saturating_mul(u64::from(rate.at_once()?));
        let known = Mutex::new(CallerAllowance {
            whole_at: HashMap::new(),
            sweep_at: SWEEP,
        });
        Some(Self {
            interval,
            at_once,
            start: Instant::now(),
            known,
        })
    }

    /// Takes a number of times from the allowance of a caller, either all of them or none.
    ///
    /// # Errors
    ///
    /// Returns the time until the allowance suffices.
    pub(crate) fn check(&self, who: &K, times: usize) -> Result<(), Duration> {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.check_at(who, u64::try_from(times).unwrap_or(u64::MAX), now)
    }

    fn check_at(&self, who: &K, times: u64, now: u64) -> Result<(), Duration> {
        if times == 0 {
            return Ok(());
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let whole_at = known.whole_at.get(who).copied().unwrap_or(0).max(now);
        let then = whole_at.saturating_add(self.interval.saturating_mul(times));
        let short = (then - now).saturating_sub(self.at_once);
        if short > 0 {
            return Err(Duration::from_nanos(short));
        }
        known.whole_at.insert(who.clone(), then);
        if known.whole_at.len() >= known.sweep_at {
            known.sweep(now);
        }
        Ok(())
    }
}

impl<K: Hash + Eq> CallerAllowance<K> {
    fn sweep(&mut self, now: u64) {
        self.whole_at.retain(|_, whole_at| *whole_at > now);
        if self.whole_at.len() >= MAX_KNOWN {
            let mut times: Vec<_> = self.whole_at.values().copied().collect();
            let (_, middle, _) = times.select_nth_unstable(MAX_KNOWN / 2);
            self.whole_at.retain(|_, whole_at| whole_at > middle);
        }
        self.whole_at.shrink_to_fit();
        self.sweep_at = (2 * self.whole_at.len()).clamp(SWEEP, MAX_KNOWN);
    }
}

impl<K> fmt::Debug for RateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: &str) -> RateLimit<u64> {
        RateLimit::new(rate.parse().unwrap()).unwrap()
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_rate_is_a_number_and_a_duration() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(
            rate("20/1s"),
            Ok(Rate::Limited {
                times: 20.try_into().unwrap(),
                within: Duration::from_secs(1)
            })
        );
        assert_eq!(rate("600 / 10m").unwrap().at_once(), Some(600));
        assert_eq!(rate("none"), Ok(Rate::Unlimited));
        assert_eq!(rate("4194304/1m"), Ok(Rate::per_minute(4 << 20)));
        for text in [
            "",
            "20",
            "0/1s",
            "-1/1s",
            "20/",
            "20/0s",
            "x/1s",
            "20/soon",
            "4000000000/1ns",
            "None",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert!(RateLimit::<u64>::new(Rate::Unlimited).is_none());
    }

    #[test]
    fn callers_have_separate_allowances() {
        let limit = limit("2/1h");
        let allows = |who, times| limit.check_at(&who, times, 5).is_ok();
        assert_eq!(
            [1, 1, 1, 2].map(|who| allows(who, 1)),
            [true, true, false, true]
        );
        assert_eq!(
            [3, 2, 1, 0, u64::MAX].map(|times| allows(3, times)),
            [false, true, false, true, false]
        );
    }

    #[test]
    fn allowance_refills_evenly() {
        let limit = limit("4/4s");
        limit.check_at(&0, 4, 0).unwrap();
        assert_eq!(limit.check_at(&0, 3, SECOND), Err(Duration::from_secs(2)));
        assert_eq!(
            limit.check_at(&0, 3, 3 * SECOND - 1),
            Err(Duration::from_nanos(1))
        );
        limit.check_at(&0, 3, 3 * SECOND).unwrap();
        limit.check_at(&0, 4, 100 * SECOND).unwrap();
        limit.check_at(&0, 1, 100 * SECOND).unwrap_err();
    }

    #[test]
    fn idle_callers_are_forgotten() {
        let limit = limit("3/3s");
        for who in 0..10_000 {
            limit.check_at(&who, 1, who * SECOND / 100).unwrap();
        }
        let known = limit.known.lock().unwrap().whole_at.len();
        assert!(known < SWEEP, "{known}");
    }

    #[test]
    fn memory_for_callers_is_bounded() {
        let limit = limit("3/1h");
        // The limit remembers the caller that did most, and that must wait longest.
        limit.check_at(&u64::MAX, 3, 1).unwrap();
        for who in 0..350_000 {
            limit.check_at(&who, 1, who).unwrap();
        }
        assert!(limit.known.lock().unwrap().whole_at.len() <= MAX_KNOWN);
        limit.check_at(&u64::MAX, 1, 350_000).unwrap_err();
    }
}
