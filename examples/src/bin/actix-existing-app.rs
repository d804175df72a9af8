//! An existing ticket tracker with sessions, state and routes. The lines marked with `// +` were
//! added, so that a ticket appears on its assignee's screens at once.
//!
//! ```sh
//! cargo run -p examples --bin actix-existing-app
//! curl -N -H 'cookie: session=b0b' http://127.0.0.1:3000/api/sse
//! curl -H 'cookie: session=a11ce' -H 'content-type: application/json' \
//!     -d '{"title":"Printer on fire","assignee":"bob"}' http://127.0.0.1:3000/tickets
//! ```

use std::{
    collections::HashMap,
    future::{Ready, ready},
    net::TcpListener,
    sync::{Mutex, PoisonError},
};

use actix_web::{
    App, FromRequest, HttpRequest, HttpResponse, HttpServer,
    dev::Payload,
    error::{Error, ErrorInternalServerError, ErrorUnauthorized, ErrorUnprocessableEntity},
    http::header::COOKIE,
    web::{self, Data, Json, ServiceConfig},
};
use serde::{Deserialize, Serialize};
use sse_actix::{Rejection, SseHandshake, SseResponse}; // +
use sse_core::Manager; // +
use sse_notify::Notifier; // +

struct Tracker {
    sessions: HashMap<String, String>,
    tickets: Mutex<Vec<Ticket>>,
    sse: Manager, // +
}

#[derive(Clone, Serialize, Deserialize)]
struct Ticket {
    title: String,
    assignee: String,
}

/// The logged-in user, identified by the cookie of the login.
struct CurrentUser(String);

impl FromRequest for CurrentUser {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let cookies = request
            .headers()
            .get(COOKIE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let session = cookies
            .split("; ")
            .find_map(|cookie| cookie.strip_prefix("session="));
        let tracker = request.app_data::<Data<Tracker>>();
        let user = tracker
            .zip(session)
            .and_then(|(tracker, session)| tracker.sessions.get(session));
        ready(
            user.cloned()
                .map(Self)
                .ok_or_else(|| ErrorUnauthorized("log in first")),
        )
    }
}

async fn tickets(CurrentUser(user): CurrentUser, tracker: Data<Tracker>) -> Json<Vec<Ticket>> {
    let tickets = tracker
        .tickets
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
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
    tracker: Data<Tracker>,
    Json(ticket): Json<Ticket>,
) -> Result<HttpResponse, Error> {
    if !tracker
        .sessions
        .values()
        .any(|known| *known == ticket.assignee)
    {
        return Err(ErrorUnprocessableEntity("no user has this name"));
    }
    tracker
        .tickets
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(ticket.clone());
    let text = format!("{user} gave you: {}", ticket.title); // +
    let notify = Notifier::new(tracker.sse.clone()); // +
    let receipt = notify.user(&ticket.assignee).info(text).data(&ticket).await; // +
    receipt.map_err(ErrorInternalServerError)?; // +
    Ok(HttpResponse::Created().finish())
}

// + all of it
async fn events(
    shake: SseHandshake,
    user: CurrentUser,
    tracker: Data<Tracker>,
) -> Result<SseResponse, Rejection> {
    Ok(tracker.sse.connect(shake.user(user.0))?.into())
}

fn app(sse: Manager) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let sessions = [("a11ce", "alice"), ("b0b", "bob")].map(|(id, user)| (id.into(), user.into()));
    let tracker = Data::new(Tracker {
        sessions: sessions.into(),
        tickets: Mutex::default(),
        sse,
    });
    move |app| {
        app.app_data(tracker.clone())
            .service(web::resource("/tickets").get(tickets).post(create))
            .route("/api/sse", web::to(events)); // +
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sse = Manager::builder().build()?; // +
    let app = app(sse.clone());
    let listener = TcpListener::bind("127.0.0.1:3000")?;
    println!("listening on http://{}", listener.local_addr()?);
    let server = HttpServer::new(move || App::new().configure(&app));
    // Was `server.listen(listener)?.run().await?`.
    sse_actix::serve(listener, server).manager(&sse).await?; // +
    Ok(())
}

#[cfg(test)]
mod tests {
    use sse_testkit::{RawRequest, request};

    use super::*;

    #[actix_web::test]
    async fn ticket_is_shown_to_its_assignee_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sse = Manager::builder().build().unwrap();
        let app = app(sse.clone());
        let server = HttpServer::new(move || App::new().configure(&app)).workers(2);
        actix_web::rt::spawn(sse_actix::serve(listener, server).into_future());

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
