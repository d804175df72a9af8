//! An answer, in no framework's terms.

use bytes::Bytes;
use serde_json::{Value, value::RawValue};

use crate::error::Error;

/// An answer, in no framework's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The answer to a call that went well.
    pub(crate) fn success(output: &RawValue) -> Self {
        Self::json(200, None, format!(r#"{{"result":{{"data":{output}}}}}"#))
    }

    /// The answer to a call that failed; the path is that of the call, if there was one.
    pub(crate) fn failure(error: &Error, path: Option<&str>) -> Self {
        Self::json(error.code().status(), error.allowed(), failure(error, path))
    }

    /// The answer to a `HEAD`.
    pub(crate) fn empty() -> Self {
        Self { status: 204, headers: headers(), body: Bytes::new() }
    }

    fn json(status: u16, allow: Option<&str>, body: String) -> Self {
        let mut headers = headers();
        headers.push(("content-type", "application/json".into()));
        headers.extend(allow.map(|method| ("allow", method.into())));
        Self { status, headers, body: body.into() }
    }
}

/// Answers depend on the moment and on who asks; `vary` is what a tRPC server says, whose form of answer depends on these.
fn headers() -> Vec<(&'static str, String)> {
    vec![("vary", "trpc-accept, accept".into()), ("cache-control", "no-store".into())]
}

fn failure(error: &Error, path: Option<&str>) -> String {
    let code = error.code();
    let (name, number, status) = (code.as_str(), code.json_rpc(), code.status());
    let message = Value::from(error.message());
    let path = path.map(|path| format!(r#","path":{}"#, Value::from(path))).unwrap_or_default();
    format!(
        r#"{{"error":{{"message":{message},"code":{number},"data":{{"code":"{name}","httpStatus":{status}{path}}}}}}}"#
    )
}
