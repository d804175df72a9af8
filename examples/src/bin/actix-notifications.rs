//! An Actix app that notifies its users.
//!
//! ```sh
//! cargo run -p examples --bin actix-notifications
//! curl -N 'http://127.0.0.1:3000/api/sse?user=42'
//! curl -X POST -H 'content-type: application/json' -d '{"user":"42","report":7}' http://127.0.0.1:3000/reports
//! ```

use std::net::TcpListener;

use actix_web::{
    App, HttpServer,
    error::ErrorBadRequest,
    web::{self, Data, Json, Query, ServiceConfig},
};
use serde::{Deserialize, Serialize};
use sse_actix::{Rejection, SseHandshake, SseResponse};
use sse_core::{EventType, Manager, PublishError, event::Payload};
use sse_notify::Notifier;

/// Placeholder for the app's own authentication: never take a user's name from the query in
/// production.
#[derive(Deserialize)]
struct CurrentUser {
    user: String,
}

async fn events(
    handshake: SseHandshake,
    current: Query<CurrentUser>,
    sse: Data<Manager>,
) -> Result<SseResponse, Rejection> {
    Ok(sse
        .connect(handshake.user(current.into_inner().user).topic("reports"))?
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
async fn report(notify: Data<Notifier>, made: Json<Report>) -> actix_web::Result<String> {
    let screens = notify_user(&notify, &made).await.map_err(ErrorBadRequest)?;
    Ok(format!("{screens} screens\n"))
}

async fn notify_user(notify: &Notifier, made: &Report) -> Result<usize, PublishError> {
    let user = notify.user(&made.user);
    let receipt = user
        .success("Your report is ready")
        .title("Reports")
        .data(made)
        .await?;
    notify.topic("reports").event(made).await?;
    Ok(receipt.matched)
}

/// Configures the app of each worker. All workers share one manager.
fn app(sse: Manager) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let notify = Data::new(Notifier::new(sse.clone()));
    let sse = Data::new(sse);
    move |app| {
        app.app_data(sse.clone())
            .app_data(notify.clone())
            .route("/api/sse", web::to(events))
            .service(web::resource("/reports").post(report));
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sse = Manager::builder().build()?;
    let app = app(sse.clone());
    let listener = TcpListener::bind("127.0.0.1:3000")?;
    println!("listening on http://{}", listener.local_addr()?);
    // The server stops at SIGINT and SIGTERM, as Actix does.
    sse_actix::serve(
        listener,
        HttpServer::new(move || App::new().configure(&app)),
    )
    .manager(&sse)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sse_testkit::{RawRequest, request};

    use super::*;

    #[actix_web::test]
    async fn report_reaches_its_user_and_watchers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let app = app(Manager::builder().build().unwrap());
        let server = HttpServer::new(move || App::new().configure(&app)).workers(2);
        actix_web::rt::spawn(sse_actix::serve(listener, server).into_future());

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
