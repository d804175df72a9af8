//! Several calls in one request.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, future::pending};
use serde_json::{Value, json};
use sse_trpc::{BatchStream, Content, Context, Error, Procedure, Transformer};
use tokio::sync::Semaphore;

use crate::api::Api;

const LINES: &[(&str, &str)] = &[("trpc-accept", "application/jsonl")];
const PIECES: &[(&str, &str)] = &[("trpc-batch-mode", "stream")];

/// Creates an API with `quick`, which answers at once, `slow`, which waits for the gate, and
/// `never`, which never answers.
fn api(gate: &Arc<Semaphore>) -> Api {
    let mut api = Api::open();
    let gate = Arc::clone(gate);
    let slow = move |_: Context, _: Value| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok::<_, Error>("slow")
        }
    };
    api.management = api
        .management
        .procedure(
            "quick",
            Procedure::query(|_: Context, _: Value| async { Ok::<_, Error>("quick") }),
        )
        .procedure("slow", Procedure::query(slow))
        .procedure(
            "never",
            Procedure::query(|_: Context, _: Value| pending::<Result<(), Error>>()),
        );
    api
}

async fn lines(api: &Api, target: &str, headers: &[(&str, &str)]) -> BatchStream {
    let response = api.respond("GET", target, headers, "").await;
    assert_eq!(response.status, 200);
    let Content::Lines(lines) = response.body else {
        panic!("no lines: {response:?}")
    };
    lines
}

fn next(lines: &mut BatchStream) -> Option<Option<String>> {
    lines
        .next()
        .now_or_never()
        .map(|bytes| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

#[tokio::test]
async fn calls_run_side_by_side_and_are_answered_in_order() {
    let gate = Arc::new(Semaphore::new(0));
    let api = api(&gate);
    let target = "slow,quick,nothing?batch=1";
    let mut answer = Box::pin(api.ask("GET", target, &[], ""));
    assert!(answer.as_mut().now_or_never().is_none());
    gate.add_permits(1);
    let answer = answer.await;
    assert_eq!(answer.status, 207);
    let all = answer.json();
    assert_eq!(all[0], json!({ "result": { "data": "slow" } }));
    assert_eq!(all[1], json!({ "result": { "data": "quick" } }));
    assert_eq!(all[2]["error"]["data"]["code"], "NOT_FOUND");
}

#[tokio::test]
async fn lines_are_sent_as_calls_finish() {
    let gate = Arc::new(Semaphore::new(0));
    let api = api(&gate);
    let mut lines = lines(&api, "slow,quick?batch=1", LINES).await;
    let head = r#"{"0":[[0],[null,0,0]],"1":[[{"result":{"data":"quick"}}]]}"#;
    assert_eq!(next(&mut lines), Some(Some(format!("{head}\n"))));
    assert_eq!(
        next(&mut lines),
        None,
        "a line arrived before the call finished"
    );
    gate.add_permits(1);
    assert_eq!(
        next(&mut lines),
        Some(Some("[0,0,[[{\"result\":{\"data\":\"slow\"}}]]]\n".into()))
    );
    assert_eq!(next(&mut lines), Some(None));
    assert_eq!(next(&mut lines), Some(None), "not fused");
}

#[tokio::test]
async fn the_head_waits_for_no_call() {
    let api = api(&Arc::new(Semaphore::new(0)));
    let mut lines = lines(&api, "never?batch=1", LINES).await;
    assert_eq!(
        next(&mut lines),
        Some(Some("{\"0\":[[0],[null,0,0]]}\n".into()))
    );
    assert_eq!(next(&mut lines), None);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_keeps_the_answer_open_with_spaces() {
    let gate = Arc::new(Semaphore::new(0));
    let api = api(&gate);
    let start = tokio::time::Instant::now();
    let mut all = lines(&api, "slow,quick?batch=1", LINES).await;
    all.next().await.unwrap();
    assert_eq!(
        (all.next().await.unwrap(), start.elapsed().as_secs()),
        (" ".into(), 15)
    );
    assert_eq!(
        (all.next().await.unwrap(), start.elapsed().as_secs()),
        (" ".into(), 30)
    );
    gate.add_permits(1);
    assert_eq!(
        all.next().await.unwrap(),
        "[0,0,[[{\"result\":{\"data\":\"slow\"}}]]]\n"
    );
    assert_eq!(all.next().await, None);
    // Clients of version 10 read lines, and would fail on a space.
    let mut pieces = lines(&api, "slow?batch=1", PIECES).await;
    assert!(
        tokio::time::timeout(std::time::Duration::from_secs(60), pieces.next())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn superjson_is_around_lines_and_inside_of_pieces() {
    let gate = Arc::new(Semaphore::new(1));
    let mut api = api(&gate);
    api.management = api.management.transformer(Transformer::SuperJson);
    let mut in_lines = lines(&api, "quick?batch=1", LINES).await;
    let line = "{\"json\":{\"0\":[[{\"result\":{\"data\":\"quick\"}}]]}}\n";
    assert_eq!(next(&mut in_lines), Some(Some(line.into())));
    let mut in_pieces = lines(&api, "quick?batch=1", PIECES).await;
    let piece = "{\"0\":{\"result\":{\"data\":{\"json\":\"quick\"}}}\n}";
    assert_eq!(next(&mut in_pieces), Some(Some(piece.into())));
}

#[tokio::test]
async fn pieces_make_one_object() {
    let gate = Arc::new(Semaphore::new(0));
    let api = api(&gate);
    let mut lines = lines(&api, "slow,quick?batch=1", PIECES).await;
    assert_eq!(
        next(&mut lines),
        Some(Some("{\"1\":{\"result\":{\"data\":\"quick\"}}\n".into()))
    );
    assert_eq!(next(&mut lines), None);
    gate.add_permits(1);
    assert_eq!(
        next(&mut lines),
        Some(Some(",\"0\":{\"result\":{\"data\":\"slow\"}}\n}".into()))
    );
    assert_eq!(next(&mut lines), Some(None));
}

#[tokio::test]
async fn disconnect_cancels_the_calls() {
    let gate = Arc::new(Semaphore::new(0));
    let api = api(&gate);
    let mut lines = lines(&api, "slow,never?batch=1", LINES).await;
    next(&mut lines);
    drop(lines);
    gate.add_permits(1);
    tokio::task::yield_now().await;
    assert_eq!(gate.available_permits(), 1, "the call was not cancelled");
}

#[tokio::test]
async fn inputs_belong_to_calls_by_number() {
    let api = Api::open();
    let body = r#"{"1":{"message":"b"},"0":{"message":"a"},"7":{"message":"nobody's"}}"#;
    let headers = [("content-type", "application/json")];
    let target =
        "sse.broadcastNotification,sse.broadcastNotification,sse.broadcastNotification?batch=1";
    let mut listener = api.listen("ada", &[]);
    let answer = api.ask("POST", target, &headers, body).await;
    assert_eq!(answer.status, 207);
    assert_eq!(answer.json()[1]["result"]["data"]["matched"], 1);
    assert_eq!(
        answer.json()[2]["error"]["message"],
        "missing field `message`"
    );
    let messages = listener
        .events()
        .into_iter()
        .map(|event| serde_json::from_str::<Value>(&event.data).unwrap());
    assert_eq!(
        messages
            .map(|data| data["message"].clone())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[tokio::test]
async fn batch_size_is_limited() {
    let api = Api::open();
    let target = |count| format!("{}?batch=1", vec!["sse.getStats"; count].join(","));
    assert_eq!(
        api.ask("GET", &target(100), &[], "")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        100
    );
    api.ask("GET", &target(101), &[], "")
        .await
        .bad_request("Batch call exceeds maximum size");
}
