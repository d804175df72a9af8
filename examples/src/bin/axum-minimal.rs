//! A minimal Axum app with streams: every posted text appears on every screen.
//!
//! ```sh
//! cargo run -p examples --bin axum-minimal
//! curl -N http://127.0.0.1:3000/api/sse
//! curl -d 'hello' http://127.0.0.1:3000/say
//! ```

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{any, post},
};
use sse_axum::{Rejection, SseHandshake, SseResponse};
use sse_core::{Event, Manager};
use tokio::net::TcpListener;

async fn events(
    handshake: SseHandshake,
    State(sse): State<Manager>,
) -> Result<SseResponse, Rejection> {
    Ok(sse.connect(handshake)?.into())
}

async fn say(State(sse): State<Manager>, text: String) -> Result<String, (StatusCode, String)> {
    let published = sse.all().publish(Event::text(text)).await;
    let receipt = published.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(format!("{} screens\n", receipt.matched))
}

fn app(sse: Manager) -> Router {
    Router::new()
        .route("/api/sse", any(events))
        .route("/say", post(say))
        .with_state(sse)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sse = Manager::builder().build()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    sse_axum::serve(listener, app(sse.clone()))
        .manager(&sse)
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sse_testkit::{RawRequest, request};

    use super::*;

    #[tokio::test]
    async fn text_is_shown_on_every_screen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sse = Manager::builder().build().unwrap();
        tokio::spawn(sse_axum::serve(listener, app(sse)).into_future());

        let mut screen = RawRequest::get(address, "/api/sse").open().await.unwrap();
        assert_eq!(screen.next_event().await.unwrap().event_type, "connection");
        let answer = request(address, "POST", "/say", &[], "hello")
            .await
            .unwrap();
        assert_eq!(answer.text().unwrap(), "1 screens\n");
        assert_eq!(screen.next_event().await.unwrap().data, "hello");
    }
}
