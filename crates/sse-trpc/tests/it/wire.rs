//! Requests and responses, independent of the procedure.

use serde_json::json;
use sse_core::access::AllowAll;
use sse_trpc::Code;

use crate::api::{Answer, Api};

#[track_caller]
fn check_headers(answer: &Answer) {
    assert_eq!(answer.header("vary"), Some("trpc-accept, accept"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let content_type = (answer.status != 204).then_some("application/json");
    assert_eq!(answer.header("content-type"), content_type);
    assert_eq!(answer.header("allow").is_some(), answer.status == 405);
}

#[tokio::test]
async fn every_answer_has_the_same_headers() {
    let api = Api::open();
    for (method, target, status) in [
        ("GET", "sse.getStats", 200),
        ("HEAD", "sse.getStats", 204),
        ("HEAD", "%", 204),
        ("GET", "%", 400),
        ("GET", "sse.publish", 405),
        ("GET", "nothing", 404),
        ("POST", "sse.publish", 415),
    ] {
        let answer = api.request(method, target, None, "").await;
        assert_eq!(answer.status, status, "{method} {target}");
        check_headers(&answer);
    }
}

#[tokio::test]
async fn paths_are_decoded() {
    let api = Api::open();
    for path in ["sse.getStats", "sse%2EgetStats", "%73%73%65.getStats"] {
        assert_eq!(
            api.request("GET", path, None, "").await.status,
            200,
            "{path}"
        );
    }
    for path in ["%", "%2", "%zz", "sse.getStats%", "%ff", "%+1a", "%é9"] {
        let answer = api.request("GET", path, None, "").await;
        answer.bad_request(&format!("Invalid URL-encoding in path \"{path}\""));
        assert!(answer.json()["error"]["data"].get("path").is_none());
    }
    for path in [
        "sse.getStats/",
        "/sse.getStats",
        "sse.getstats",
        "sse.getStats%00",
        "sse%252EgetStats",
    ] {
        assert_eq!(
            api.request("GET", path, None, "").await.status,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn strange_paths_are_quoted_soundly() {
    let answer = Api::open()
        .request("GET", "a%22%5C%0A%01%E2%80%A8", None, "")
        .await;
    let path = "a\"\\\n\u{1}\u{2028}";
    assert_eq!(answer.json()["error"]["data"]["path"], path);
    answer.refused(
        404,
        "NOT_FOUND",
        &format!("No procedure found on path \"{path}\""),
    );
}

#[tokio::test]
async fn the_first_parameter_of_a_name_counts() {
    let api = Api::open();
    let answer = api
        .request(
            "GET",
            "sse.getStats?user=ada&input=%7B%7D&input=%7Bbad&batch=0&batch=1",
            None,
            "",
        )
        .await;
    assert_eq!(answer.status, 200);
    let answer = api
        .request("GET", "sse.getStats?input=%7B%22limit%22:+7%7D", None, "")
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_query_ignores_the_body_and_a_mutation_the_query() {
    let api = Api::open();
    let answer = api
        .request(
            "GET",
            "sse.getStats",
            Some("text/plain"),
            "x".repeat(2 << 20),
        )
        .await;
    assert_eq!(answer.status, 200);
    let answer = api
        .request(
            "POST",
            "sse.broadcastNotification?input=%7B%7D",
            Some("application/json"),
            r#"{"message":"hello"}"#,
        )
        .await;
    answer.matched(0);
}

#[tokio::test]
async fn methods_are_case_sensitive() {
    let answer = Api::open()
        .request("get", "sse.getStats", Some("application/json"), "")
        .await;
    assert_eq!(answer.error().0, "METHOD_NOT_SUPPORTED");
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_read() {
    let api = Api::with_access(AllowAll).limits(|limits| limits.body = 64);
    let fits = format!(r#"{{"message":"{}"}}"#, "x".repeat(50));
    assert_eq!(fits.len(), 64);
    api.post("sse.broadcastNotification", fits.clone())
        .await
        .matched(0);
    let too_large = format!("{fits} ");
    let answer = api.post("sse.broadcastNotification", too_large).await;
    answer.refused(413, "PAYLOAD_TOO_LARGE", "PAYLOAD_TOO_LARGE");
    assert_eq!(
        answer.json()["error"]["data"]["path"],
        "sse.broadcastNotification"
    );
    let answer = api
        .query("sse.getStats", json!({ "limit": 1, "x": "x".repeat(64) }))
        .await;
    answer.refused(413, "PAYLOAD_TOO_LARGE", "PAYLOAD_TOO_LARGE");
}

#[tokio::test(start_paused = true)]
async fn slow_body_is_reported_to_the_call() {
    let api = Api::open();
    let json = [("content-type", "application/json")];
    let never = || futures_util::stream::pending::<Result<_, ()>>();
    let answer = Answer::of(
        api.stream("POST", "sse.broadcastNotification", &json, never())
            .await,
    )
    .await;
    answer.refused(408, "TIMEOUT", "the body did not arrive in time");
    assert_eq!(
        answer.json()["error"]["data"]["path"],
        "sse.broadcastNotification"
    );
    // The body of a `GET` does not matter.
    assert_eq!(
        api.stream("GET", "sse.getStats", &[], never()).await.status,
        200
    );
}

#[tokio::test]
async fn unknown_procedure_is_reported_before_a_large_body() {
    let answer = Api::open()
        .request(
            "POST",
            "nothing",
            Some("application/json"),
            "x".repeat(2 << 20),
        )
        .await;
    assert_eq!(answer.error().0, "NOT_FOUND");
}

#[test]
fn codes_are_those_of_trpc() {
    for (code, name, number, status) in [
        (Code::ParseError, "PARSE_ERROR", -32700, 400),
        (Code::BadRequest, "BAD_REQUEST", -32600, 400),
        (Code::Unauthorized, "UNAUTHORIZED", -32001, 401),
        (Code::TooManyRequests, "TOO_MANY_REQUESTS", -32029, 429),
        (
            Code::ClientClosedRequest,
            "CLIENT_CLOSED_REQUEST",
            -32099,
            499,
        ),
        (
            Code::InternalServerError,
            "INTERNAL_SERVER_ERROR",
            -32603,
            500,
        ),
        (Code::GatewayTimeout, "GATEWAY_TIMEOUT", -32603, 504),
    ] {
        assert_eq!(
            (code.as_str(), code.json_rpc(), code.status()),
            (name, number, status)
        );
    }
}
