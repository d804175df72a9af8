//! Whether an adapter does what every adapter does: one suite of rules for all of them.
//!
//! An adapter brings a small app on its framework, an [`Adapter`], and
//! [`adapter_suite!`](crate::adapter_suite) makes a test of each rule. `docs/adding-an-adapter.md`
//! takes you through it.

mod harness;
mod http2;
#[doc(hidden)]
pub mod rules;
mod running_app;
mod test_app;

use std::{io, net::TcpListener};

#[doc(hidden)]
pub use harness::{Harness, check};
pub use test_app::{Answer, Stop, TestApp};

/// An app on the framework for which an adapter was written.
///
/// | route | answer |
/// |---|---|
/// | every method on `/events` | [`TestApp::connect`] with the adapter's handshake and the query; the session, or the refusal |
/// | `GET /ping` | `pong` |
/// | `GET /tokens` | the one-off stream [`TestApp::tokens`] |
/// | `GET /compressed/prose` | [`TestApp::PROSE`] behind the framework's compression; for the rules of `compression` |
/// | every method on `/compressed/events` | as `/events`, behind the framework's compression; for the rules of `compression` |
/// | everything below `/api/trpc` | [`TestApp::management`], the caller being [`TestApp::caller`] of the query; for the rules of `management` |
///
/// ```no_run
/// use std::{io, net::TcpListener};
/// use sse_testkit::adapter::{Adapter, TestApp, Stop};
///
/// struct MyAdapter;
///
/// impl Adapter for MyAdapter {
///     fn serve(listener: TcpListener, site: TestApp, stop: Stop) -> io::Result<()> {
///         // Start the framework's runtime, serve the routes above, shut down when `stop` resolves.
/// #       let _ = (listener, app, stop);
///         Ok(())
///     }
/// }
///
/// sse_testkit::adapter_suite!(MyAdapter, [compression, management, http2]);
/// ```
pub trait Adapter {
    /// Serves the app until `stop` resolves, then shuts down within [`TestApp::drain`] and returns.
    ///
    /// Called on a thread of its own, outside of any runtime, once for each rule. The listener is
    /// bound and does not block.
    ///
    /// # Errors
    /// Whatever keeps it from serving; the rule fails with it.
    fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()>;
}
