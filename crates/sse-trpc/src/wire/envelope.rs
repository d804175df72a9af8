//! The JSON around an output or an error.

use serde_json::Value;

use crate::{error::Error, outcome::Outcome, wire::transformer::Transformer};

/// Writes `{"result":{"data":…}}` or `{"error":…}`.
pub(crate) fn of(outcome: &Outcome, transformer: Transformer) -> String {
    match &outcome.result {
        Ok(output) => {
            let (before, after) = transformer.around();
            [r#"{"result":{"data":"#, before, output, after, "}}"].concat()
        }
        Err(error) => failure(error, Some(&outcome.path), transformer),
    }
}

/// Writes the response to a failed call; the path is that of the call, if one was found.
pub(crate) fn failure(error: &Error, path: Option<&str>, transformer: Transformer) -> String {
    let (before, after) = transformer.around();
    [
        r#"{"error":"#,
        before,
        &shape(error, error.code().json_rpc(), path),
        after,
        "}",
    ]
    .concat()
}

/// Returns the parts of an error that a client receives, with a JSON-RPC number (tRPC 11,
/// `error/getErrorShape.ts`).
pub(crate) fn shape(error: &Error, number: i32, path: Option<&str>) -> String {
    let code = error.code();
    let (name, status) = (code.as_str(), code.status());
    let message = Value::from(error.message());
    let path = path
        .map(|path| format!(r#","path":{}"#, Value::from(path)))
        .unwrap_or_default();
    format!(
        r#"{{"message":{message},"code":{number},"data":{{"code":"{name}","httpStatus":{status}{path}}}}}"#
    )
}
