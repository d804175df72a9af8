//! Captured requests of real clients, which must get the same status and the same answers from this
//! crate.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sse_trpc::{Code, Context, Error, Procedure, Transformer};

use crate::{
    api::Api,
    capture::{self, Exchange},
};

/// Requests with an intentional difference: this crate reads every input, even if no procedure
/// needs one.
const READ_BY_US: [(&str, &str); 2] = [("GET", "sse.getStats?input=%7Bbad"), ("POST", "sse.ping")];

/// Procedures of the captured server that this crate does not have.
const NOT_OURS: [&str; 4] = ["sse.promise", "sse.iter", "sse.onEvent", "sse.plain"];

#[derive(Deserialize)]
struct Number {
    n: u32,
}

#[derive(Deserialize)]
struct Success {
    title: String,
    message: String,
}

#[derive(Serialize)]
struct Sent {
    success: bool,
    delivered: u32,
    title: String,
    message: String,
}

fn answer<T: Serialize + Clone + Send + Sync + 'static>(
    result: Result<T, Error>,
) -> impl Fn(Context, Value) -> std::future::Ready<Result<T, Error>> + Send + Sync {
    move |_, _| std::future::ready(result.clone())
}

/// Creates an API with the procedures of the captured server.
fn server(transformer: Transformer) -> Api {
    let stats = json!({ "totalConnections": 3, "users": 2, "at": "1970-01-01T00:00:00.000Z" });
    let success = |_: Context, Success { title, message }| async {
        Ok(Sent {
            success: true,
            delivered: 1,
            title,
            message,
        })
    };
    let mut api = Api::open();
    let unauthorized = Error::new(Code::Unauthorized, "no session");
    let boom = Error::new(Code::InternalServerError, "boom");
    api.management = api
        .management
        .transformer(transformer)
        .procedure("sse.getStats", Procedure::query(answer(Ok(stats))))
        .procedure(
            "sse.echo",
            Procedure::query(|_: Context, input: Number| async move { Ok(input.n) }),
        )
        .procedure("sse.nothing", Procedure::query(answer(Ok(()))))
        .procedure("sse.nul", Procedure::query(answer(Ok(Value::Null))))
        .procedure("sse.ping", Procedure::mutation(answer(Ok("pong"))))
        .procedure(
            "sse.fail",
            Procedure::query(answer::<()>(Err(unauthorized))),
        )
        .procedure("sse.boom", Procedure::query(answer::<()>(Err(boom))))
        .procedure("sse.sendSuccess", Procedure::mutation(success));
    api
}

/// Normalises an answer: the messages of validators differ, dates arrive as text, and nothing is
/// null.
fn normal(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members
                .values_mut()
                .for_each(|value| *value = normal(value.take()));
            let worded_by_a_validator =
                members
                    .get("message")
                    .and_then(Value::as_str)
                    .is_some_and(|message| {
                        message.starts_with("[\n")
                            || message.contains("JSON at position")
                            || message.starts_with("the input is not JSON")
                            || message.contains("invalid type")
                            || message.contains("missing field")
                    });
            if worded_by_a_validator {
                members.insert("message".into(), "a validator's".into());
            }
            members.remove("meta");
            members.retain(|name, value| {
                !(name == "data" && (value.is_null() || *value == json!({ "json": null })))
            });
            // Stack traces are for developers.
            members.remove("stack");
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| *value = normal(value.take())),
        _ => {}
    }
    value
}

async fn check(api: &Api, exchange: &Exchange, superjson: bool) {
    let headers: Vec<_> = exchange
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let ours = api
        .ask(&exchange.method, &exchange.target, &headers, &exchange.body)
        .await;
    let what = format!("{} {} {}", exchange.method, exchange.target, exchange.body);
    let theirs = &exchange.answer;
    // Version 10 answers differently to calls of the wrong type.
    if theirs.body.contains("-procedure on path") {
        return assert!([404, 405].contains(&ours.status), "{what}: {}", ours.text);
    }
    assert_eq!(ours.status, theirs.status, "{what}: {}", ours.text);
    let allow = theirs
        .headers
        .iter()
        .find(|(name, _)| name == "allow")
        .map(|(_, value)| value.as_str());
    assert_eq!(ours.header("allow"), allow, "{what}");
    if theirs.body.is_empty() {
        return assert_eq!(ours.text, "", "{what}");
    }
    let are_lines = theirs.body.contains("[null,0,0]]");
    let parse = |text: &str| {
        if are_lines {
            capture::joined(text, superjson)
        } else {
            serde_json::from_str(text).unwrap()
        }
    };
    assert_eq!(
        normal(parse(&ours.text)),
        normal(parse(&theirs.body)),
        "{what}"
    );
}

fn is_for_us(exchange: &Exchange) -> bool {
    !NOT_OURS
        .iter()
        .any(|name| exchange.target.starts_with(name))
}

/// Replays a capture, and returns the number of exchanges.
async fn play(text: &str, superjson: bool, change: impl FnOnce(&mut Api)) -> usize {
    let mut api = server(if superjson {
        Transformer::SuperJson
    } else {
        Transformer::Json
    });
    change(&mut api);
    let exchanges = capture::read(text);
    for exchange in exchanges.iter().filter(|exchange| is_for_us(exchange)) {
        let key = (exchange.method.as_str(), exchange.target.as_str());
        let is_broken = exchange.body.contains("bad") || exchange.target.contains("bad");
        if is_broken && READ_BY_US.contains(&key) {
            let headers = [("content-type", "application/json")];
            let ours = api
                .ask(&exchange.method, &exchange.target, &headers, &exchange.body)
                .await;
            assert_eq!(
                (ours.error().0.as_str(), exchange.answer.status),
                ("BAD_REQUEST", 200)
            );
        } else {
            check(&api, exchange, superjson).await;
        }
    }
    exchanges.len()
}

#[tokio::test]
async fn links_of_version_11() {
    assert_eq!(
        play(include_str!("../captures/v11-httpLink.txt"), false, |_| ()).await,
        11
    );
    assert_eq!(
        play(
            include_str!("../captures/v11-httpLink-superjson.txt"),
            true,
            |_| ()
        )
        .await,
        11
    );
    assert_eq!(
        play(
            include_str!("../captures/v11-httpBatchLink.txt"),
            false,
            |_| ()
        )
        .await,
        5
    );
    assert_eq!(
        play(
            include_str!("../captures/v11-httpBatchLink-superjson.txt"),
            true,
            |_| ()
        )
        .await,
        5
    );
    assert_eq!(
        play(
            include_str!("../captures/v11-httpBatchStreamLink.txt"),
            false,
            |_| ()
        )
        .await,
        4
    );
    assert_eq!(
        play(
            include_str!("../captures/v11-httpBatchStreamLink-superjson.txt"),
            true,
            |_| ()
        )
        .await,
        4
    );
}

/// Clients of version 10 accept the answers of this crate, although their own server answers
/// differently to calls of the wrong type.
#[tokio::test]
async fn links_of_version_10() {
    assert_eq!(
        play(include_str!("../captures/v10-httpLink.txt"), false, |_| ()).await,
        11
    );
    assert_eq!(
        play(
            include_str!("../captures/v10-httpLink-superjson.txt"),
            true,
            |_| ()
        )
        .await,
        11
    );
    assert_eq!(
        play(
            include_str!("../captures/v10-httpBatchLink.txt"),
            false,
            |_| ()
        )
        .await,
        5
    );
    assert_eq!(
        play(
            include_str!("../captures/v10-httpBatchLink-superjson.txt"),
            true,
            |_| ()
        )
        .await,
        5
    );
    assert_eq!(
        play(
            include_str!("../captures/v10-httpBatchStreamLink.txt"),
            false,
            |_| ()
        )
        .await,
        2
    );
    assert_eq!(
        play(
            include_str!("../captures/v10-httpBatchStreamLink-superjson.txt"),
            true,
            |_| ()
        )
        .await,
        2
    );
}

#[tokio::test]
async fn odd_requests_of_version_11() {
    let limited = |api: &mut Api| {
        let mut limits = sse_trpc::CallLimits::default();
        limits.batch = 3;
        api.management = api.management.clone().limits(limits);
    };
    assert_eq!(
        play(
            include_str!("../captures/v11-raw-probes.txt"),
            false,
            limited
        )
        .await,
        49
    );
    let text = include_str!("../captures/v11-raw-probes-methodoverride.txt");
    let overriding = |api: &mut Api| api.management = api.management.clone().method_override(true);
    assert_eq!(play(text, false, overriding).await, 2);
    let text = include_str!("../captures/v11-raw-probes-maxbody.txt");
    let small = |api: &mut Api| {
        let mut limits = sse_trpc::CallLimits::default();
        limits.body = 50;
        api.management = api.management.clone().limits(limits);
    };
    assert_eq!(play(text, false, small).await, 1);
    let text = include_str!("../captures/v11-raw-probes-nobatching.txt");
    let single = |api: &mut Api| {
        let mut limits = sse_trpc::CallLimits::default();
        limits.batch = 0;
        api.management = api.management.clone().limits(limits);
    };
    assert_eq!(play(text, false, single).await, 1);
}
