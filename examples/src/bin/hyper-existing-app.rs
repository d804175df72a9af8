//! An existing ticket tracker on raw Hyper, with sessions, state and routes. The lines marked with
//! `// +` were added, so that a ticket appears on its assignee's screens at once.
//!
//! ```sh
//! cargo run -p examples --bin hyper-existing-app
//! curl -N -H 'cookie: session=b0b' http://127.0.0.1:3000/api/sse
//! curl -H 'cookie: session=a11ce' -d '{"title":"Printer on fire","assignee":"bob"}' http://127.0.0.1:3000/tickets
//! ```

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::COOKIE};
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use sse_core::Manager; // +
use sse_notify::Notifier; // +
use tokio::net::TcpListener;
use tower::Service;

type Answer = Response<BoxBody<Bytes, Infallible>>;

struct App {
    sessions: HashMap<String, String>,
    tickets: Mutex<Vec<Ticket>>,
    sse: Manager, // +
}

#[derive(Clone, Serialize, Deserialize)]
struct Ticket {
    title: String,
    assignee: String,
}

impl App {
    /// Returns the logged-in user, identified by the cookie of the login.
    fn user(&self, request: &Request<Incoming>) -> Option<&String> {
        let cookies = request.headers().get(COOKIE)?.to_str().ok()?;
        self.sessions.get(
            cookies
                .split("; ")
                .find_map(|cookie| cookie.strip_prefix("session="))?,
        )
    }

    async fn create(
        &self,
        user: &str,
        request: Request<Incoming>,
    ) -> Result<StatusCode, StatusCode> {
        let body = Limited::new(request.into_body(), 64 << 10).collect().await;
        let body = body.map_err(|_| StatusCode::BAD_REQUEST)?.to_bytes();
        let ticket: Ticket =
            serde_json::from_slice(&body).map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
        if !self
            .sessions
            .values()
            .any(|known| *known == ticket.assignee)
        {
            return Err(StatusCode::UNPROCESSABLE_ENTITY);
        }
        self.tickets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(ticket.clone());
        let text = format!("{user} gave you: {}", ticket.title); // +
        let notify = Notifier::new(self.sse.clone()); // +
        let receipt = notify.user(&ticket.assignee).info(text).data(&ticket).await; // +
        receipt.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?; // +
        Ok(StatusCode::CREATED)
    }

    // + all of it
    fn events(&self, user: &str, request: Request<Incoming>) -> Answer {
        let (parts, _) = request.into_parts();
        match self.sse.connect(sse_hyper::handshake(&parts).user(user)) {
            Ok(session) => sse_hyper::response(session).map(BodyExt::boxed),
            Err(refused) => sse_hyper::rejection(&refused).map(BodyExt::boxed),
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let Some(user) = self.user(&request) else {
            return Ok(empty(StatusCode::UNAUTHORIZED));
        };
        Ok(match (request.method(), request.uri().path()) {
            (&Method::POST, "/tickets") => empty(
                self.create(user, request)
                    .await
                    .unwrap_or_else(|status| status),
            ),
            (_, "/api/sse") => self.events(user, request), // +
            _ => empty(StatusCode::NOT_FOUND),
        })
    }
}

fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Full::default().boxed());
    *response.status_mut() = status;
    response
}

fn app(
    sse: Manager,
) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send
{
    let sessions = [("a11ce", "alice"), ("b0b", "bob")].map(|(id, user)| (id.into(), user.into()));
    let app = Arc::new(App {
        sessions: sessions.into(),
        tickets: Mutex::default(),
        sse,
    });
    tower::service_fn(move |request| Arc::clone(&app).answer(request))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sse = Manager::builder().build()?; // +
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    // Replaces the accept loop.
    sse_hyper::serve(listener, app(sse.clone()))
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
    async fn ticket_is_shown_to_its_assignee() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sse = Manager::builder().build().unwrap();
        tokio::spawn(sse_hyper::serve(listener, app(sse)).into_future());

        let mut bob = RawRequest::get(address, "/api/sse")
            .header("cookie", "session=b0b")
            .open()
            .await
            .unwrap();
        bob.next_event().await.unwrap();
        let ticket = r#"{"title":"Printer on fire","assignee":"bob"}"#;
        let answer = request(
            address,
            "POST",
            "/tickets",
            &[("cookie", "session=a11ce")],
            ticket,
        )
        .await;
        assert_eq!(answer.unwrap().status, 201);
        assert!(bob.next_event().await.unwrap().data.contains(ticket));
        assert_eq!(
            request(address, "GET", "/api/sse", &[], "")
                .await
                .unwrap()
                .status,
            401
        );
    }
}
