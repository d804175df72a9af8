//! Connections of which Actix tells.

use std::{any::Any, fmt, sync::Once};

use actix_http::{Extensions, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory};
use actix_web::{
    Error, HttpRequest, HttpServer, body::MessageBody, dev::AppConfig, rt::net::TcpStream,
};
use sse_socket::SocketOptions;
use tracing::{debug, warn};

/// In the data of a connection whose server was prepared.
#[derive(Debug, Clone, Copy)]
struct Prepared;

/// Prepares a server for streams: clients that close are noticed at once, those that vanish in
/// time.
///
/// [`serve`](crate::serve()) does it. For servers that bind by themselves, to TLS or to several
/// addresses, it comes before `bind`:
///
/// ```no_run
/// # use actix_web::{App, HttpServer};
/// # use sse_core::{ShutdownOptions, Manager};
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
/// It switches `h1_allow_half_closed` off (Actix keeps a connection whose client has closed its
/// half, so a closed tab would go unnoticed until a write fails), and sets the options with
/// `on_connect`, in place of a callback set before; over TLS there is no socket to be had there,
/// and they are not set.
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
                // The client is gone already, or the system lacks an option; the stream's own
                // timeouts hold.
                debug!(%error, "socket options");
            }
        })
}

/// Says so once where a server keeps the connections of clients that are gone.
pub(crate) fn warn_unless_prepared(request: &HttpRequest) {
    static ONCE: Once = Once::new();
    // HTTP/2 streams of a connection have no data of it, and no halves.
    let is_http_2 = request.version() == actix_web::http::Version::HTTP_2;
    if !is_http_2 && request.conn_data::<Prepared>().is_none() {
        ONCE.call_once(|| {
            warn!(
                "this server keeps half-closed connections, so clients that leave are noticed only by heartbeats: \
                 start it with sse_actix::serve, or prepare it with sse_actix::prepare"
            );
        });
    }
}
