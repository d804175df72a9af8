//! A Hyper service that notifies its users.
//!
//! ```sh
//! cargo run -p examples --bin hyper-notifications
//! curl -N 'http://127.0.0.1:3000/api/sse?user=42'
//! curl -X POST -d '{"user":"42","report":7}' http://127.0.0.1:3000/reports
//! ```

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use sse_core::{EventType, Manager, UserId, event::Payload};
use sse_notify::Notifier;
use tokio::net::TcpListener;
use tower::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

#[derive(Clone)]
struct App {
    sse: Manager,
    notify: Notifier,
}

#[derive(Deserialize, Serialize)]
struct Report {
    user: String,
    report: u32,
}

impl Payload for Report {
    const EVENT: EventType = EventType::from_static("report_made");
}

impl App {
    fn events(&self, request: Request<Incoming>) -> Answer {
        let (parts, _) = request.into_parts();
        // Placeholder for the app's own authentication: never take a user's name from the query in
        // production.
        let user = parts
            .uri
            .query()
            .and_then(|query| query.strip_prefix("user="));
        let Some(user) = user.and_then(|user| UserId::new(user).ok()) else {
            return text(StatusCode::UNAUTHORIZED, "who are you?\n");
        };
        match self
            .sse
            .connect(sse_hyper::handshake(&parts).user(user).topic("reports"))
        {
            Ok(session) => sse_hyper::response(session).map(BodyExt::boxed),
            Err(refused) => sse_hyper::rejection(&refused).map(BodyExt::boxed),
        }
    }

    /// Notifies the user that the report is ready, and everybody who watches reports.
    async fn report(&self, request: Request<Incoming>) -> Result<Answer, BoxError> {
        let body = Limited::new(request.into_body(), 64 << 10)
            .collect()
            .await?
            .to_bytes();
        let made: Report = serde_json::from_slice(&body)?;
        let user = self.notify.user(&made.user);
        let receipt = user
            .success("Your report is ready")
            .title("Reports")
            .data(&made)
            .await?;
        self.notify.topic("reports").event(&made).await?;
        Ok(text(
            StatusCode::OK,
            format!("{} screens\n", receipt.matched),
        ))
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        Ok(match (request.method(), request.uri().path()) {
            (_, "/api/sse") => self.events(request),
            (&Method::POST, "/reports") => {
                let made = self.report(request).await;
                made.unwrap_or_else(|error| text(StatusCode::BAD_REQUEST, error.to_string()))
            }
            _ => text(StatusCode::NOT_FOUND, "no such page\n"),
        })
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(text.into()).boxed());
    *response.status_mut() = status;
    response
}

fn app(
    sse: Manager,
) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send
{
    let app = App {
        notify: Notifier::new(sse.clone()),
        sse,
    };
    tower::service_fn(move |request| app.clone().answer(request))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sse = Manager::builder().build()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    sse_hyper::serve(listener, app(sse.clone()))
        .manager(&sse)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sse_testkit::{RawRequest, request};

    use super::*;

    #[tokio::test]
    async fn report_reaches_its_user_and_watchers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sse = Manager::builder().build().unwrap();
        tokio::spawn(sse_hyper::serve(listener, app(sse)).into_future());

        let mut mine = RawRequest::get(address, "/api/sse?user=42")
            .open()
            .await
            .unwrap();
        let mut other = RawRequest::get(address, "/api/sse?user=7")
            .open()
            .await
            .unwrap();
        mine.next_event().await.unwrap();
        other.next_event().await.unwrap();
        let body = r#"{"user":"42","report":7}"#;
        let answer = request(address, "POST", "/reports", &[], body)
            .await
            .unwrap();
        assert_eq!(answer.text().unwrap(), "1 screens\n");
        assert_eq!(mine.next_event().await.unwrap().event_type, "notification");
        for client in [&mut mine, &mut other] {
            assert_eq!(client.next_event().await.unwrap().data, body);
        }
    }
}
