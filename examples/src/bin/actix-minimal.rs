//! A minimal Actix app with streams: every posted text appears on every screen.
//!
//! ```sh
//! cargo run -p examples --bin actix-minimal
//! curl -N http://127.0.0.1:3000/api/sse
//! curl -d 'hello' http://127.0.0.1:3000/say
//! ```

use std::net::TcpListener;

use actix_web::{
    App, HttpServer,
    error::ErrorBadRequest,
    web::{self, Data, ServiceConfig},
};
use sse_actix::{Rejection, SseHandshake, SseResponse};
use sse_core::{Event, Manager};

async fn events(handshake: SseHandshake, sse: Data<Manager>) -> Result<SseResponse, Rejection> {
    Ok(sse.connect(handshake)?.into())
}

async fn say(sse: Data<Manager>, text: String) -> actix_web::Result<String> {
    let receipt = sse
        .all()
        .publish(Event::text(text))
        .await
        .map_err(ErrorBadRequest)?;
    Ok(format!("{} screens\n", receipt.matched))
}

/// Configures the app of each worker. All workers share one manager.
fn app(sse: Manager) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let sse = Data::new(sse);
    move |app| {
        app.app_data(sse.clone())
            .route("/api/sse", web::to(events))
            .service(web::resource("/say").post(say));
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
    async fn text_is_shown_on_every_screen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let app = app(Manager::builder().build().unwrap());
        let server = HttpServer::new(move || App::new().configure(&app)).workers(2);
        actix_web::rt::spawn(sse_actix::serve(listener, server).into_future());

        let mut screen = RawRequest::get(address, "/api/sse").open().await.unwrap();
        assert_eq!(screen.next_event().await.unwrap().event_type, "connection");
        let answer = request(address, "POST", "/say", &[], "hello")
            .await
            .unwrap();
        assert_eq!(answer.text().unwrap(), "1 screens\n");
        assert_eq!(screen.next_event().await.unwrap().data, "hello");
    }
}
