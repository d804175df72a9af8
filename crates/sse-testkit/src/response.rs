//! Ordinary requests, whose responses are read whole.

use std::net::SocketAddr;

use crate::{
    client::RawClient,
    end::End,
    error::Error,
    head::{Head, Headers},
    request::RawRequest,
};

/// Maximum number of bytes of one response's body.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// An ordinary response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the body as text.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the body is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        str::from_utf8(&self.body)
            .map_err(|error| Error::Protocol(format!("the body is not UTF-8: {error}")))
    }
}

/// Sends one request on a separate connection and reads the whole response.
///
/// Adds `Host`, `Connection: close` and, if there is a body or the method requires one,
/// `Content-Length`.
///
/// # Errors
///
/// The errors of the connection; [`Error::Ended`] if the body is cut off; [`Error::Protocol`] if
/// the body is larger than 16 MiB.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Result<Response, Error> {
    read(
        prepare(address, method, path, headers, body.as_ref())
            .open()
            .await?,
    )
    .await
}

/// Returns the request that [`request`] sends.
pub(crate) fn prepare(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> RawRequest {
    let body = body.as_ref();
    let mut request = RawRequest::new(address, method, path).header("Connection", "close");
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        request = request.header("Content-Length", body.len().to_string());
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(body)
}

/// Reads a whole response.
pub(crate) async fn read(mut client: RawClient) -> Result<Response, Error> {
    let Head {
        status, headers, ..
    } = client.head().await?.clone();
    let mut body = Vec::new();
    while let Some(bytes) = client.next_bytes().await? {
        body.extend(bytes);
        if body.len() > BODY_LIMIT {
            return Err(Error::Protocol(format!(
                "a body of more than {BODY_LIMIT} bytes"
            )));
        }
    }
    match client.end().await? {
        End::Complete | End::Closed => Ok(Response {
            status,
            headers,
            body,
        }),
        end @ (End::Cut | End::Reset) => Err(Error::Ended(end)),
    }
}
