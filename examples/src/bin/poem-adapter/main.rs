//! An adapter for Poem, which no crate of this project supports. The suite that tests the adapters
//! of this project tests it, too.
//!
//! ```sh
//! cargo run -p examples --bin poem-adapter
//! curl -N http://127.0.0.1:3000/api/sse
//! curl -d 'hello' http://127.0.0.1:3000/say
//! ```

mod adapter;

use futures_util::{StreamExt, stream};
use poem::{
    Endpoint, EndpointExt, Response, Route, error::BadRequest, get, handler, post, web::Data,
};
use sse_core::{Event, EventStream, Manager};
use tokio::net::TcpListener;

use crate::adapter::{Rejection, SseHandshake, SseResponse, event_stream, serve};

#[handler]
async fn listen(
    handshake: SseHandshake,
    Data(sse): Data<&Manager>,
) -> Result<SseResponse, Rejection> {
    Ok(SseResponse(sse.connect(handshake)?))
}

#[handler]
async fn say(Data(sse): Data<&Manager>, text: String) -> poem::Result<String> {
    let receipt = sse
        .all()
        .publish(Event::text(text))
        .await
        .map_err(BadRequest)?;
    Ok(format!("{} screens\n", receipt.matched))
}

#[handler]
async fn countdown() -> Response {
    let numbers = stream::iter((0..=3).rev()).map(|number: i32| Event::text(number.to_string()));
    event_stream(EventStream::new(numbers))
}

fn app(sse: Manager) -> impl Endpoint {
    Route::new()
        .at("/api/sse", listen)
        .at("/say", post(say))
        .at("/countdown", get(countdown))
        .data(sse)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sse = Manager::builder().build()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let signal = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    serve(listener, app(sse.clone()))
        .manager(&sse)
        .with_graceful_shutdown(signal)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{future::IntoFuture, io, net};

    use poem::{Request, http::Uri};
    use sse_testkit::{
        RawRequest,
        adapter::{Adapter, Stop, TestApp},
        request,
    };

    use super::*;

    #[tokio::test]
    async fn text_is_shown_on_every_screen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sse = Manager::builder().build().unwrap();
        tokio::spawn(serve(listener, app(sse)).into_future());
        let mut screen = RawRequest::get(address, "/api/sse").open().await.unwrap();
        assert_eq!(screen.next_event().await.unwrap().event_type, "connection");
        let answer = request(address, "POST", "/say", &[], "hello")
            .await
            .unwrap();
        assert_eq!(answer.text().unwrap(), "1 screens\n");
        assert_eq!(screen.next_event().await.unwrap().data, "hello");

        let mut numbers = RawRequest::get(address, "/countdown").open().await.unwrap();
        for number in ["3", "2", "1", "0"] {
            assert_eq!(numbers.next_event().await.unwrap().data, number);
        }
        numbers.expect_end().await.unwrap();
    }

    #[handler]
    async fn site_events(
        handshake: SseHandshake,
        uri: &Uri,
        Data(app): Data<&TestApp>,
    ) -> Result<SseResponse, Rejection> {
        Ok(SseResponse(app.connect(handshake, uri.query())?))
    }

    #[handler]
    async fn site_tokens(Data(app): Data<&TestApp>) -> Response {
        event_stream(app.tokens())
    }

    #[handler]
    async fn ping(_: &Request) -> &'static str {
        "pong"
    }

    struct Poem;

    impl Adapter for Poem {
        fn serve(listener: net::TcpListener, app: TestApp, stop: Stop) -> io::Result<()> {
            tokio::runtime::Runtime::new()?.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                let routes = Route::new()
                    .at("/events", site_events)
                    .at("/tokens", site_tokens)
                    .at("/ping", ping);
                serve(listener, routes.data(app.clone()))
                    .manager(app.manager())
                    .shutdown_options(app.drain())
                    .with_graceful_shutdown(stop)
                    .await
            })
        }
    }

    sse_testkit::adapter_suite!(Poem, [http2]);
}
