//! The response of a model, token by token: a one-off stream without a manager.
//!
//! ```sh
//! cargo run -p examples --bin llm-tokens
//! curl -N 'http://127.0.0.1:3000/answer?prompt=why'
//! ```

use std::{collections::VecDeque, error::Error, io, time::Duration};

use axum::{Router, extract::Query, response::Response, routing::get};
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use sse_core::{EventStream, EventType, IntoEvent, event::Payload};
use tokio::net::TcpListener;

type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
struct Question {
    prompt: String,
}

#[derive(Serialize)]
struct Token {
    text: String,
}

impl Payload for Token {
    const EVENT: EventType = EventType::from_static("token");
}

/// Notifies the client that the response is complete. A response that breaks off ends without this
/// event.
#[derive(Serialize)]
struct Done {
    tokens: usize,
}

impl Payload for Done {
    const EVENT: EventType = EventType::from_static("done");
}

/// Placeholder for a model: pauses for a while, and then repeats its prompt.
fn model(prompt: &str) -> impl Stream<Item = io::Result<String>> + Send + use<> {
    let words: VecDeque<String> = prompt.split_inclusive(' ').map(str::to_owned).collect();
    stream::unfold(words, |mut words| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        words.pop_front().map(|word| (Ok(word), words))
    })
}

async fn answer(Query(question): Query<Question>) -> Response {
    let tokens = question.prompt.split_inclusive(' ').count();
    let answer = model(&question.prompt)
        .map(|text| Ok::<_, BoxError>((&Token { text: text? }).into_event()?));
    let done = stream::once(async move { Ok((&Done { tokens }).into_event()?) });
    // A comment every second while the model thinks, so that proxies keep the connection. A client
    // that disconnects stops the model: the stream is dropped with the connection.
    sse_axum::event_stream(
        EventStream::new(answer.chain(done)).heartbeat_interval(Duration::from_secs(1)),
    )
}

fn app() -> Router {
    Router::new().route("/answer", get(answer))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Responses in flight can finish within the deadline of the drain, 10 s.
    sse_axum::serve(listener, app())
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sse_testkit::RawRequest;

    use super::*;

    #[tokio::test]
    async fn answer_arrives_in_tokens_and_is_complete() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(sse_axum::serve(listener, app()).into_future());

        let mut client = RawRequest::get(address, "/answer?prompt=to+be+or+not")
            .open()
            .await
            .unwrap();
        for word in ["to ", "be ", "or ", "not"] {
            let token = client.next_event().await.unwrap();
            assert_eq!(
                (token.event_type, token.data),
                ("token".into(), format!(r#"{{"text":"{word}"}}"#))
            );
        }
        let done = client.next_event().await.unwrap();
        assert_eq!(
            (done.event_type.as_str(), done.data.as_str()),
            ("done", r#"{"tokens":4}"#)
        );
        client.expect_end().await.unwrap();
    }
}
