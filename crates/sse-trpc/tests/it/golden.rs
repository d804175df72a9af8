//! The responses of `@trpc/server` 11.25.2 to odd and malformed requests over HTTP, captured, and
//! the responses of this crate to the same requests.
//!
//! Bodies are compared byte by byte. Content types of responses are not: this crate always answers
//! with JSON.

use serde_json::Value;
use sse_trpc::{Context, Error, Procedure};

use crate::api::{Answer, Api};

const JSON: Option<&str> = Some("application/json");

/// Creates an API with the procedures of the captured server.
fn captured() -> Api {
    let mut api = Api::open().user("42");
    let ping = Procedure::mutation(|_: Context, _: Value| async { Ok::<_, Error>("pong") });
    let echo = Procedure::query(|_: Context, input: Value| async { Ok::<_, Error>(input) });
    api.management = api
        .management
        .procedure("sse.ping", ping)
        .procedure("sse.echo", echo);
    api
}

async fn ask(method: &str, target: &str, content_type: Option<&str>, body: &'static str) -> Answer {
    captured().request(method, target, content_type, body).await
}

#[tokio::test]
async fn calls_that_go_well() {
    for target in [
        "sse.getStats",
        "sse.getStats?input=",
        "sse.getStats?input=null",
        "sse.getStats?batch=true",
    ] {
        let answer = ask("GET", target, None, "").await;
        assert_eq!(answer.data()["totalConnections"], 0, "{target}");
    }
    for (content_type, body) in [
        ("application/json; charset=utf-8", "{}"),
        ("Application/JSON", "{}"),
        ("application/json", "{}"),
        ("application/json", ""),
    ] {
        let answer = ask("POST", "sse.ping", Some(content_type), body).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, r#"{"result":{"data":"pong"}}"#)
        );
    }
}

#[tokio::test]
async fn wrong_methods() {
    for (method, target, content_type, allow, message) in [
        (
            "GET",
            "sse.ping",
            None,
            "POST",
            r#"Unsupported GET-request to mutation procedure at path \"sse.ping\""#,
        ),
        (
            "POST",
            "sse.getStats",
            JSON,
            "GET",
            r#"Unsupported POST-request to query procedure at path \"sse.getStats\""#,
        ),
        (
            "PUT",
            "sse.getStats",
            JSON,
            "GET",
            r#"Unsupported PUT-request to query procedure at path \"sse.getStats\""#,
        ),
        (
            "DELETE",
            "sse.ping",
            JSON,
            "POST",
            r#"Unsupported DELETE-request to mutation procedure at path \"sse.ping\""#,
        ),
    ] {
        let answer = ask(method, target, content_type, "{}").await;
        let body = format!(
            r#"{{"error":{{"message":"{message}","code":-32005,"data":{{"code":"METHOD_NOT_SUPPORTED","httpStatus":405,"path":"{target}"}}}}}}"#
        );
        assert_eq!((answer.status, answer.text.as_str()), (405, body.as_str()));
        assert_eq!(answer.header("allow"), Some(allow));
    }
}

#[tokio::test]
async fn wrong_content_types() {
    for (method, content_type, message) in [
        ("POST", None, "Missing content-type header"),
        ("OPTIONS", None, "Missing content-type header"),
        (
            "POST",
            Some("text/plain"),
            r#"Unsupported content-type \"text/plain"#,
        ),
        (
            "POST",
            Some("application/jsonx"),
            r#"Unsupported content-type \"application/jsonx"#,
        ),
    ] {
        let answer = ask(method, "sse.ping", content_type, "{}").await;
        let body = format!(
            r#"{{"error":{{"message":"{message}","code":-32015,"data":{{"code":"UNSUPPORTED_MEDIA_TYPE","httpStatus":415}}}}}}"#
        );
        assert_eq!((answer.status, answer.text.as_str()), (415, body.as_str()));
    }
}

#[tokio::test]
async fn unknown_procedures() {
    for path in ["nope", "", "sse", "__proto__", "sse.getStats,sse.getStats"] {
        let answer = ask("GET", path, None, "").await;
        let body = format!(
            r#"{{"error":{{"message":"No procedure found on path \"{path}\"","code":-32004,"data":{{"code":"NOT_FOUND","httpStatus":404,"path":"{path}"}}}}}}"#
        );
        assert_eq!((answer.status, answer.text.as_str()), (404, body.as_str()));
    }
}

#[tokio::test]
async fn requests_that_name_no_call() {
    for (target, message) in [
        ("%E0%A4%A", r#"Invalid URL-encoding in path \"%E0%A4%A\""#),
        (
            "sse.getStats,sse.sendInfo?batch=1",
            "Cannot mix procedure types in call: query, mutation",
        ),
    ] {
        let answer = ask("GET", target, None, "").await;
        let body = format!(
            r#"{{"error":{{"message":"{message}","code":-32600,"data":{{"code":"BAD_REQUEST","httpStatus":400}}}}}}"#
        );
        assert_eq!((answer.status, answer.text.as_str()), (400, body.as_str()));
    }
}

#[tokio::test]
async fn too_large() {
    let api = captured().limits(|limits| limits.body = 32);
    let body = r#"{"title":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","message":"b"}"#;
    let answer = api.request("POST", "sse.sendSuccess", JSON, body).await;
    let expected = r#"{"error":{"message":"PAYLOAD_TOO_LARGE","code":-32013,"data":{"code":"PAYLOAD_TOO_LARGE","httpStatus":413,"path":"sse.sendSuccess"}}}"#;
    assert_eq!((answer.status, answer.text.as_str()), (413, expected));
}

#[tokio::test]
async fn head() {
    let answer = ask("HEAD", "sse.getStats", None, "").await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
}

/// The message is that of the JSON parser, or of the validator, so it differs here.
#[tokio::test]
async fn inputs_that_cannot_be_read() {
    for (method, target, content_type, body, message) in [
        (
            "GET",
            "sse.echo?input=%7Bbad",
            None,
            "",
            "the input is not JSON: key must be a string at line 1 column 2",
        ),
        (
            "POST",
            "sse.sendSuccess",
            JSON,
            "{bad",
            "the input is not JSON: key must be a string at line 1 column 2",
        ),
        (
            "POST",
            "sse.sendSuccess",
            JSON,
            "",
            "missing field `message`",
        ),
    ] {
        let answer = ask(method, target, content_type, body).await;
        let path = target.split('?').next().unwrap();
        let expected = format!(
            r#"{{"error":{{"message":"{message}","code":-32600,"data":{{"code":"BAD_REQUEST","httpStatus":400,"path":"{path}"}}}}}}"#
        );
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (400, expected.as_str())
        );
    }
}

/// tRPC does not read inputs that a procedure does not request; this crate reads all inputs.
#[tokio::test]
async fn inputs_that_trpc_would_not_read() {
    let answer = ask("GET", "sse.getStats?input=%7Bbad", None, "").await;
    assert_eq!(answer.error().0, "BAD_REQUEST");
    let answer = ask("POST", "sse.ping", JSON, "{bad").await;
    assert_eq!(answer.error().0, "BAD_REQUEST");
}
