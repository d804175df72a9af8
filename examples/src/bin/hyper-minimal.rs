//! A minimal Hyper service with streams: every posted text appears on every screen.
//!
//! ```sh
//! cargo run -p examples --bin hyper-minimal
//! curl -N http://127.0.0.1:3000/api/sse
//! curl -d 'hello' http://127.0.0.1:3000/say
//! ```

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::body::Incoming;
use sse_core::{Event, Manager};
use tokio::net::TcpListener;
use tower::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

fn events(sse: &Manager, request: Request<Incoming>) -> Answer {
    let (parts, _) = request.into_parts();
    match sse.connect(sse_hyper::handshake(&parts)) {
        Ok(session) => sse_hyper::response(session).map(BodyExt::boxed),
        Err(refused) => sse_hyper::rejection(&refused).map(BodyExt::boxed),
    }
}

async fn say(sse: &Manager, request: Request<Incoming>) -> Result<Answer, BoxError> {
    let body = Limited::new(request.into_body(), 64 << 10)
        .collect()
        .await?
        .to_bytes();
    let receipt = sse
        .all()
        .publish(Event::text(String::from_utf8_lossy(&body)))
        .await?;
    Ok(text(
        StatusCode::OK,
        format!("{} screens\n", receipt.matched),
    ))
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(text.into()).boxed());
    *response.status_mut() = status;
    response
}

async fn answer(sse: Manager, request: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        // Every method, so that the manager also answers requests with another method than GET.
        (_, "/api/sse") => events(&sse, request),
        (&Method::POST, "/say") => say(&sse, request)
            .await
            .unwrap_or_else(|error| text(StatusCode::BAD_REQUEST, error.to_string())),
        _ => text(StatusCode::NOT_FOUND, "no such page\n"),
    })
}

/// Creates a tower service, which any layer can wrap.
fn app(
    sse: Manager,
) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send
{
    tower::service_fn(move |request| answer(sse.clone(), request))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sse = Manager::builder().build()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    sse_hyper::serve(listener, app(sse.clone()))
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
        tokio::spawn(sse_hyper::serve(listener, app(sse)).into_future());

        let mut screen = RawRequest::get(address, "/api/sse").open().await.unwrap();
        assert_eq!(screen.next_event().await.unwrap().event_type, "connection");
        let answer = request(address, "POST", "/say", &[], "hello")
            .await
            .unwrap();
        assert_eq!(answer.text().unwrap(), "1 screens\n");
        assert_eq!(screen.next_event().await.unwrap().data, "hello");
    }
}
