//! One way to encode an event, timed in batches.

use std::{
    fmt,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;

/// Number of inputs that are created ahead at once, if their creation is not to be timed.
const AHEAD: u64 = 64;

/// One way to encode an event.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Sample of the encoded event.
    pub(crate) sample: Bytes,
    batch: Box<dyn FnMut(u64) -> Duration>,
}

impl Column {
    pub(crate) fn new<T: AsRef<[u8]> + 'static>(
        name: &'static str,
        mut encode: impl FnMut() -> T + 'static,
    ) -> Self {
        let sample = Bytes::copy_from_slice(encode().as_ref());
        let batch = Box::new(move |times| {
            let start = Instant::now();
            (0..times).for_each(|_| drop(black_box(encode())));
            start.elapsed()
        });
        Self {
            name,
            sample,
            batch,
        }
    }

    /// Creates a column that does not time the creation of the input.
    pub(crate) fn given<I: 'static>(
        name: &'static str,
        mut make: impl FnMut() -> I + 'static,
        mut encode: impl FnMut(I) -> Bytes + 'static,
    ) -> Self {
        let sample = encode(make());
        let batch = Box::new(move |times| {
            let mut elapsed = Duration::ZERO;
            let mut left: u64 = times;
            while left > 0 {
                let count = left.min(AHEAD);
                let inputs: Vec<_> = (0..count).map(|_| make()).collect();
                let start = Instant::now();
                inputs
                    .into_iter()
                    .for_each(|input| drop(black_box(encode(input))));
                elapsed += start.elapsed();
                left -= count;
            }
            elapsed
        });
        Self {
            name,
            sample,
            batch,
        }
    }

    /// Returns the time of `times` encodings.
    pub(crate) fn time(&mut self, times: u64) -> Duration {
        (self.batch)(times)
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
