//! An Axum app that notifies its users.
//!
//! ```sh
//! cargo run -p examples --bin axum-notifications
//! curl -N 'http://127.0.0.1:3000/api/sse?user=42'
//! curl -X POST -H 'content-type: application/json' -d '{"user":"42","report":7}' http://127.0.0.1:3000/reports
//! ```

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{any, post},
};
use serde::{Deserialize, Serialize};
use sse_axum::{Rejection, SseHandshake, SseResponse};
use sse_core::{EventType, Manager, PublishError, event::Payload};
use sse_notify::Notifier;
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    sse: Manager,
    notify: Notifier,
}

/// Placeholder for the app's own authentication: never take a user's name from the query in
/// production.
#[derive(Deserialize)]
struct CurrentUser {
    user: String,
}

async fn events(
    handshake: SseHandshake,
    Query(current): Query<CurrentUser>,
    State(app): State<App>,
) -> Result<SseResponse, Rejection> {
    Ok(app
        .sse
        .connect(handshake.user(current.user).topic("reports"))?
        .into())
}

#[derive(Deserialize, Serialize)]
struct Report {
    user: String,
    report: u32,
}

impl Payload for Report {
    const EVENT: EventType = EventType::from_static("report_made");
}

/// Notifies the user that the report is ready, and everybody who watches reports.
async fn report(
    State(app): State<App>,
    Json(made): Json<Report>,
) -> Result<String, (StatusCode, String)> {
    let screens = notify_user(&app, &made)
        .await
        .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(format!("{screens} screens\n"))
}

async fn notify_user(app: &App, made: &Report) -> Result<usize, PublishError> {
    let user = app.notify.user(&made.user);
    let receipt = user
        .success("Your report is ready")
        .title("Reports")
        .data(made)
        .await?;
    app.notify.topic("reports").event(made).await?;
    Ok(receipt.matched)
}

fn app(sse: Manager) -> Router {
    let notify = Notifier::new(sse.clone());
    Router::new()
        .route("/api/sse", any(events))
        .route("/reports", post(report))
        .with_state(App { sse, notify })
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
    async fn report_reaches_its_user_and_watchers() {
        let sse = Manager::builder().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(sse_axum::serve(listener, app(sse)).into_future());

        let mut mine = RawRequest::get(address, "/api/sse?user=42")
            .open()
            .await
            .unwrap();
        let mut other = RawRequest::get(address, "/api/sse?user=7")
            .open()
            .await
            .unwrap();
        for client in [&mut mine, &mut other] {
            assert_eq!(client.next_event().await.unwrap().event_type, "connection");
        }
        let headers = [("content-type", "application/json")];
        let body = r#"{"user":"42","report":7}"#;
        let answer = request(address, "POST", "/reports", &headers, body)
            .await
            .unwrap();
        assert_eq!(answer.text().unwrap(), "1 screens\n");

        assert_eq!(mine.next_event().await.unwrap().event_type, "notification");
        for client in [&mut mine, &mut other] {
            let event = client.next_event().await.unwrap();
            assert_eq!(
                (event.event_type.as_str(), event.data.as_str()),
                ("report_made", body)
            );
        }
    }
}
