//! An existing ticket tracker with sessions, state and routes. The lines marked with `// +` were
//! added, so that a ticket appears on its assignee's screens at once.
//!
//! ```sh
//! cargo run -p examples --bin axum-existing-app
//! curl -N -H 'cookie: session=b0b' http://127.0.0.1:3000/api/sse
//! curl -H 'cookie: session=a11ce' -H 'content-type: application/json' \
//!     -d '{"title":"Printer on fire","assignee":"bob"}' http://127.0.0.1:3000/tickets
//! ```

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json,
    Router,
    extract::{FromRequestParts, State},
    http::{StatusCode, header::COOKIE, request::Parts},
    routing::{any, get}, // + any
};
use serde::{Deserialize, Serialize};
use sse_axum::{Rejection, SseHandshake, SseResponse}; // +
use sse_core::Manager; // +
use sse_notify::Notifier; // +
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    sessions: Arc<HashMap<String, String>>,
    tickets: Arc<Mutex<Vec<Ticket>>>,
    sse: Manager, // +
}

#[derive(Clone, Serialize, Deserialize)]
struct Ticket {
    title: String,
    assignee: String,
}

/// The logged-in user, identified by the cookie of the login.
struct CurrentUser(String);

impl FromRequestParts<App> for CurrentUser {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, StatusCode> {
        let cookies = parts
            .headers
            .get(COOKIE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let session = cookies
            .split("; ")
            .find_map(|cookie| cookie.strip_prefix("session="));
        let user = session.and_then(|session| app.sessions.get(session));
        user.cloned().map(Self).ok_or(StatusCode::UNAUTHORIZED)
    }
}

async fn tickets(CurrentUser(user): CurrentUser, State(app): State<App>) -> Json<Vec<Ticket>> {
    let tickets = app.tickets.lock().unwrap_or_else(PoisonError::into_inner);
    Json(
        tickets
            .iter()
            .filter(|ticket| ticket.assignee == user)
            .cloned()
            .collect(),
    )
}

async fn create(
    CurrentUser(user): CurrentUser,
    State(app): State<App>,
    Json(ticket): Json<Ticket>,
) -> Result<StatusCode, StatusCode> {
    if !app.sessions.values().any(|known| *known == ticket.assignee) {
        return Err(StatusCode::UNPROCESSABLE_ENTITY);
    }
    app.tickets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(ticket.clone());
    let text = format!("{user} gave you: {}", ticket.title); // +
    let receipt = Notifier::new(app.sse)
        .user(&ticket.assignee)
        .info(text)
        .data(&ticket)
        .await; // +
    receipt.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?; // +
    Ok(StatusCode::CREATED)
}

// + all of it
async fn events(
    shake: SseHandshake,
    user: CurrentUser,
    State(app): State<App>,
) -> Result<SseResponse, Rejection> {
    Ok(app.sse.connect(shake.user(user.0))?.into())
}

fn app(sse: Manager) -> Router {
    let sessions = [("a11ce", "alice"), ("b0b", "bob")].map(|(id, user)| (id.into(), user.into()));
    let app = App {
        sessions: Arc::new(sessions.into()),
        tickets: Arc::default(),
        sse,
    };
    Router::new()
        .route("/tickets", get(tickets).post(create))
        .route("/api/sse", any(events)) // +
        .with_state(app)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sse = Manager::builder().build()?; // +
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    // Was `axum::serve(listener, app())`.
    sse_axum::serve(listener, app(sse.clone()))
        .manager(&sse)
        .with_graceful_shutdown(stop)
        .await?; // +
    Ok(())
}

#[cfg(test)]
mod tests {
    use sse_testkit::{RawRequest, request};

    use super::*;

    #[tokio::test]
    async fn ticket_is_shown_to_its_assignee_only() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sse = Manager::builder().build().unwrap();
        tokio::spawn(sse_axum::serve(listener, app(sse.clone())).into_future());

        let open = |session| {
            RawRequest::get(address, "/api/sse")
                .header("cookie", session)
                .open()
        };
        let (mut alice, mut bob) = (
            open("session=a11ce").await.unwrap(),
            open("session=b0b").await.unwrap(),
        );
        alice.next_event().await.unwrap();
        bob.next_event().await.unwrap();
        let headers = [
            ("cookie", "session=a11ce"),
            ("content-type", "application/json"),
        ];
        let ticket = r#"{"title":"Printer on fire","assignee":"bob"}"#;
        assert_eq!(
            request(address, "POST", "/tickets", &headers, ticket)
                .await
                .unwrap()
                .status,
            201
        );
        assert!(bob.next_event().await.unwrap().data.contains(ticket));
        sse.all()
            .publish(sse_core::Event::text("to everybody"))
            .await
            .unwrap();
        assert_eq!(alice.next_event().await.unwrap().data, "to everybody");
        assert_eq!(
            request(address, "GET", "/api/sse", &[], "")
                .await
                .unwrap()
                .status,
            401
        );
    }
}
