//! The targets, one per file.

pub(crate) mod cluster;
pub(crate) mod cookies;
pub(crate) mod encode;
pub(crate) mod envelope;
pub(crate) mod handshake;
pub(crate) mod hub;
pub(crate) mod nats;
pub(crate) mod redis;
pub(crate) mod segments;
pub(crate) mod session;
pub(crate) mod token;
pub(crate) mod trpc;

use std::{future::Future, sync::LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use tokio::runtime::{Builder, Runtime};

/// Runs a future to its end on a runtime that all inputs share.
fn run<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    });
    RUNTIME.block_on(future)
}

/// Creates a value from the bytes of an input; `None` if there are too few.
fn value<'a, T: Arbitrary<'a>>(input: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(input)).ok()
}
