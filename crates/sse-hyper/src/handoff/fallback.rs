//! Why a stream is not served by the reactor.

use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering},
};

/// Why a stream is served as an ordinary body by hyper, and not by the reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// The server has no reactor ([`Serve::without_reactor`](crate::Serve::without_reactor)).
    Off,
    /// The connection is encrypted.
    Tls,
    /// The connection is one of HTTP/2, and has other streams.
    Http2,
    /// The request is more than a GET without a body: it has one, or offers to upgrade the
    /// connection.
    Request,
    /// The client sent more behind its request, which is answered after the stream.
    Pipelined,
    /// The response says [`KeepBody`](crate::KeepBody).
    OptedOut,
    /// A middleware encodes the body (`Content-Encoding`).
    Encoded,
    /// The head is one that only hyper writes: another version, framing of its own, a status
    /// without a body.
    Head,
    /// A middleware has begun to read the body.
    Polled,
    /// A middleware put a body of its own around the stream's, which does not say of its length
    /// what the stream's says: it may change the bytes, or break off.
    Wrapped,
    /// The reactor could not be started, or the server is over.
    Unavailable,
}

impl Fallback {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Off,
        Self::Tls,
        Self::Http2,
        Self::Request,
        Self::Pipelined,
        Self::OptedOut,
        Self::Encoded,
        Self::Head,
        Self::Polled,
        Self::Wrapped,
        Self::Unavailable,
    ];

    /// In metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Tls => "tls",
            Self::Http2 => "http2",
            Self::Request => "request",
            Self::Pipelined => "pipelined",
            Self::OptedOut => "opted_out",
            Self::Encoded => "encoded",
            Self::Head => "head",
            Self::Polled => "polled",
            Self::Wrapped => "wrapped",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A counter for each [`Fallback`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fallbacks([u64; Fallback::ALL.len()]);

impl Fallbacks {
    /// Reasons and counts, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Fallback, u64)> {
        Fallback::ALL.into_iter().zip(self.0)
    }

    /// How many there were for a reason.
    #[must_use]
    pub fn get(&self, why: Fallback) -> u64 {
        self.0[why as usize]
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl AddAssign for Fallbacks {
    fn add_assign(&mut self, other: Self) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(sum, count)| *sum += count);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counts([AtomicU64; Fallback::ALL.len()]);

impl Counts {
    pub(crate) fn add(&self, why: Fallback) {
        self.0[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Fallbacks {
        Fallbacks(std::array::from_fn(|index| {
            self.0[index].load(Ordering::Relaxed)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_counter_and_a_name_of_its_own() {
        let counts = Counts::default();
        for (index, why) in Fallback::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| counts.add(why));
        }
        for (index, (why, count)) in counts.read().iter().enumerate() {
            assert_eq!(
                (count, counts.read().get(why)),
                (index as u64 + 1, count),
                "{why:?}"
            );
            assert_eq!(
                Fallback::ALL
                    .iter()
                    .filter(|other| other.as_str() == why.as_str())
                    .count(),
                1
            );
        }
        assert_eq!(counts.read().total(), 66);
    }
}
