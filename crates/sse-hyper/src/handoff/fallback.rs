//! The reasons why the reactor does not serve a stream.

use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering},
};

/// The reason why hyper serves a stream as an ordinary body, and not the reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// The server has no reactor ([`Serve::without_reactor`](crate::Serve::without_reactor)).
    Off,
    /// The connection is encrypted.
    Tls,
    /// The connection uses HTTP/2, and can have other streams.
    Http2,
    /// The request is more than a GET without a body: the request has a body, or offers to upgrade
    /// the connection.
    Request,
    /// The client sent more bytes after its request. These bytes are answered after the stream.
    Pipelined,
    /// The response is marked with [`KeepBody`](crate::KeepBody).
    OptedOut,
    /// A middleware encodes the body (`Content-Encoding`).
    Encoded,
    /// Only hyper can write the head: the head has another version, sets its own framing, or has a
    /// status without a body.
    Head,
    /// A middleware has begun to read the body.
    Polled,
    /// A middleware wrapped the stream's body in a body with another size hint. The wrapper can
    /// change the bytes, or break off.
    Wrapped,
    /// The reactor could not be started, or the server has ended.
    Unavailable,
}

impl Fallback {
    /// All reasons.
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

    /// Returns the name of the reason in metrics and logs.
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
    /// Returns the reasons and their counts, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Fallback, u64)> {
        Fallback::ALL.into_iter().zip(self.0)
    }

    /// Returns the number of streams that were not served by the reactor for this reason.
    #[must_use]
    pub fn get(&self, why: Fallback) -> u64 {
        self.0[why as usize]
    }

    /// Returns the sum of all counts.
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
pub(crate) struct FallbackCounts([AtomicU64; Fallback::ALL.len()]);

impl FallbackCounts {
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
    fn fallbacks_have_distinct_counters_and_names() {
        let counts = FallbackCounts::default();
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
