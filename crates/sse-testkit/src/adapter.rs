//! A suite of rules that every adapter must keep.
//!
//! An adapter supplies a small app on its framework, an [`Adapter`].
//! [`adapter_suite!`](crate::adapter_suite) creates a test for each rule.
//! `docs/adding-an-adapter.md` is a step-by-step guide.

mod harness;
mod http2;
#[doc(hidden)]
pub mod rules;
mod running_app;
mod test_app;

use std::{io, net::TcpListener};

#[doc(hidden)]
pub use harness::{Harness, check};
pub use test_app::{EventReceiver, Stop, TestApp};

/// A test app on the framework for which an adapter was written.
///
/// | route | answer |
/// |---|---|
/// | every method on `/events` | [`TestApp::connect`] with the adapter's handshake and the query; the session, or the rejection |
/// | `GET /ping` | `pong` |
/// | `GET /tokens` | the one-off stream [`TestApp::tokens`] |
/// | `GET /compressed/prose` | [`TestApp::PROSE`] through the framework's compression; for the rules of `compression` |
/// | every method on `/compressed/events` | as `/events`, through the framework's compression; for the rules of `compression` |
/// | everything below `/api/trpc` | [`TestApp::management`], with [`TestApp::caller`] of the query as the caller; for the rules of `management` |
///
/// ```no_run
/// use std::{io, net::TcpListener};
/// use sse_testkit::adapter::{Adapter, TestApp, Stop};
///
/// struct MyAdapter;
///
/// impl Adapter for MyAdapter {
///     fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()> {
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
    /// Called on a separate thread, outside of any runtime, once for each rule. The listener is
    /// bound and non-blocking.
    ///
    /// # Errors
    /// Any error that prevents the app from serving; the rule fails with it.
    fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()>;
}
