//! One size of the growth: a number of streams, and its measurements.

use crate::report::summary::Summary;

/// The servers at one number of streams.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) streams: usize,
    pub(crate) servers: Vec<Summary>,
}
