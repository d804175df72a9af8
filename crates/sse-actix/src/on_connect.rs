//! The connection callback of Actix.

use std::{any::Any, fmt, sync::Once};

use actix_http::{Extensions, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory};
use actix_web::{
    Error, HttpRequest, HttpServer, body::MessageBody, dev::AppConfig, rt::net::TcpStream,
};
use sse_socket::SocketOptions;
use tracing::{debug, warn};

/// A mark in the data of a connection whose server was prepared.
#[derive(Debug, Clone, Copy)]
struct Prepared;

/// Prepares a server for streams. Clients that close are then detected at once, and clients that
/// vanish are detected in time.
///
/// [`serve`](crate::serve()) calls this function. A server that binds manually, to TLS or to
/// several addresses, must be prepared before `bind`:
///
/// ```no_run
/// # use actix_web::{App, HttpServer};
/// # use sse_core::{Manager, ShutdownOptions};
/// # async fn example(sse: Manager) -> std::io::Result<()> {
/// let server = sse_actix::prepare(HttpServer::new(App::new), sse_actix::SocketOptions::default());
/// let server = server.disable_signals().bind("127.0.0.1:3000")?.run();
/// let handle = server.handle();
/// tokio::spawn(async move {
///     tokio::signal::ctrl_c().await.unwrap_or_default();
///     // Without the first, the second waits for the streams until Actix's `shutdown_timeout`.
///     tokio::join!(sse.shutdown(ShutdownOptions::default()), handle.stop(true));
/// });
/// server.await
/// # }
/// ```
///
/// This function switches `h1_allow_half_closed` off. Otherwise Actix keeps a connection whose
/// client has closed its half, and a closed tab is not detected until a write fails. The function
/// also sets the socket options with `on_connect`, which replaces an earlier callback. Over TLS,
/// the callback has no access to the socket, and the options are not set.
pub fn prepare<F, I, S, B>(
    server: HttpServer<F, I, S, B>,
    options: SocketOptions,
) -> HttpServer<F, I, S, B>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error>,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
    S::Service: 'static,
    <S::Service as actix_service::Service<Request>>::Future: 'static,
{
    server
        .h1_allow_half_closed(false)
        .on_connect(move |io: &dyn Any, data: &mut Extensions| {
            data.insert(Prepared);
            if let Some(socket) = io.downcast_ref::<TcpStream>()
                && let Err(error) = options.set(socket)
            {
                // Either the client has already disconnected, or the system lacks an option and the
                // timeouts of the stream apply.
                debug!(%error, "failed to set socket options");
            }
        })
}

/// Logs a warning, once, if a server keeps the connections of clients that have disconnected.
pub(crate) fn warn_unless_prepared(request: &HttpRequest) {
    static ONCE: Once = Once::new();
    // HTTP/2 streams do not have the data of their connection, and have no halves.
    let is_http_2 = request.version() == actix_web::http::Version::HTTP_2;
    if !is_http_2 && request.conn_data::<Prepared>().is_none() {
        ONCE.call_once(|| {
            warn!(
                "server not prepared: it keeps half-closed connections, so only heartbeats detect clients that disconnect; \
                 start it with sse_actix::serve, or prepare it with sse_actix::prepare"
            );
        });
    }
}
