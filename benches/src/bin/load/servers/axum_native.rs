//! The server that an axum user writes today: `axum::serve`, the framework's own `Sse` with
//! keep-alive, and a tokio broadcast.

use std::convert::Infallible;
use std::net::TcpListener as StdListener;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::broadcast::Sender;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

use crate::servers::serving::Serving;

type Events = Sender<Event>;

/// Serves until it fails.
pub(crate) fn serve(listener: StdListener, serving: &Serving) -> anyhow::Result<()> {
    serving.runtime()?.block_on(async {
        let listener = TcpListener::from_std(listener)?.tap_io(|socket| {
            // Not fatal: the connection works without the option, only slower.
            let _ = socket.set_nodelay(true);
        });
        axum::serve(listener, app(Events::new(serving.capacity)))
            .await
            .context("serving")
    })
}

fn app(events: Events) -> Router {
    Router::new()
        .route("/sse", get(stream))
        .route("/publish", post(publish))
        .with_state(events)
}

async fn stream(
    State(events): State<Events>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // A stream that lags loses events, as usual with this stack; the load program counts them as
    // missing.
    let events = BroadcastStream::new(events.subscribe()).filter_map(|event| event.ok().map(Ok));
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn publish(State(events): State<Events>, data: String) -> StatusCode {
    // An error only means that there is no stream.
    let _ = events.send(Event::default().event("tick").data(data));
    StatusCode::OK
}
