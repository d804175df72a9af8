//! Procedures of an app's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sse_core::access::OwnEventsOnly;
use sse_trpc::{Code, Context, Error, Procedure, ProcedureKind};

use crate::api::Api;

#[derive(Deserialize)]
struct Sum {
    numbers: Vec<u32>,
}

#[derive(Deserialize)]
struct Empty {}

#[derive(Serialize)]
struct Total {
    total: u32,
}

async fn sum(_: Context, input: Sum) -> Result<Total, Error> {
    let total = input
        .numbers
        .iter()
        .try_fold(0_u32, |sum, number| sum.checked_add(*number));
    let total = total.ok_or_else(|| Error::new(Code::UnprocessableContent, "too much"))?;
    Ok(Total { total })
}

fn with(procedure: Procedure) -> Api {
    let mut api = Api::with_access(OwnEventsOnly);
    api.management = api.management.procedure("app.sum", procedure);
    api
}

#[tokio::test]
async fn app_procedure_is_called_like_the_others() {
    let api = with(Procedure::query(sum));
    assert_eq!(
        api.query("app.sum", json!({ "numbers": [1, 2] }))
            .await
            .data(),
        json!({ "total": 3 })
    );
    let answer = api.query("app.sum", json!({ "numbers": [1, "2"] })).await;
    answer.bad_request("numbers[1]: invalid type: string \"2\", expected u32");
    let answer = api
        .query("app.sum", json!({ "numbers": [u32::MAX, 1] }))
        .await;
    answer.refused(422, "UNPROCESSABLE_CONTENT", "too much");
}

#[tokio::test]
async fn app_procedure_can_require_a_manager() {
    let procedure = Procedure::mutation(sum).managers_only();
    assert_eq!(procedure.kind(), ProcedureKind::Mutation);
    let answer = with(procedure)
        .mutate("app.sum", json!({ "numbers": [] }))
        .await;
    assert_eq!(answer.error().0, "UNAUTHORIZED");
}

#[tokio::test]
async fn app_procedure_replaces_one_in_its_api_only() {
    let api = Api::open();
    let stats = Procedure::query(|_: Context, _: Empty| async { Ok::<_, Error>("mine") });
    let changed = api.management.clone().procedure("sse.getStats", stats);
    assert!(
        api.query("sse.getStats", json!({}))
            .await
            .data()
            .is_object()
    );
    let mut other = Api::open();
    other.management = changed;
    assert_eq!(other.query("sse.getStats", json!({})).await.data(), "mine");
}

#[tokio::test]
async fn unserializable_output_is_an_internal_error() {
    let odd = Procedure::query(|_: Context, _: Sum| async {
        Ok::<_, Error>(BTreeMap::from([(vec![1], 2)]))
    });
    let answer = with(odd).query("app.sum", json!({ "numbers": [] })).await;
    answer.refused(
        500,
        "INTERNAL_SERVER_ERROR",
        "failed to serialize the output",
    );
}
