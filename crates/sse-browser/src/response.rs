//! Responses, independent of any framework.

use std::borrow::Cow;

use crate::static_files::{File, StaticFiles};

/// The parts of a request that matter for the response.
///
/// ```
/// use sse_browser::{CLIENT, FileRequest};
///
/// let request = FileRequest {
///     method: "GET",
///     path: "/client.js",
///     if_none_match: None,
/// };
/// assert_eq!(CLIENT.answer(&request).status, 200);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FileRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path after the mount point, with or without a leading slash.
    pub path: &'a str,
    /// The value of `If-None-Match`; several values are joined by commas.
    pub if_none_match: Option<&'a [u8]>,
}

/// A response to a request for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaticResponse {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, also for `HEAD`: servers omit it and use its length.
    pub body: &'static str,
}

impl StaticResponse {
    pub(crate) fn of(file: &File, request: &FileRequest<'_>) -> Self {
        if !matches!(request.method, "GET" | "HEAD") {
            return Self {
                status: 405,
                headers: vec![("allow", "GET,HEAD".into())],
                body: "",
            };
        }
        let etag = file.etag();
        let is_known = request
            .if_none_match
            .is_some_and(|tags| names(tags, etag.as_bytes()));
        let mut headers = vec![
            ("etag", etag.into()),
            // Clients can store the file, but must revalidate it before use: an updated hub has
            // other files at the same paths.
            ("cache-control", "public, no-cache".into()),
        ];
        if is_known {
            return Self {
                status: 304,
                headers,
                body: "",
            };
        }
        headers.push(("content-type", file.content_type().into()));
        headers.push(("x-content-type-options", "nosniff".into()));
        Self {
            status: 200,
            headers,
            body: file.content(),
        }
    }

    pub(crate) const fn not_found() -> Self {
        Self {
            status: 404,
            headers: Vec::new(),
            body: "",
        }
    }
}

impl StaticFiles {
    /// Returns the response to a request for a file, or for the folder: its `index.html`.
    ///
    /// The status is 200, 304 if the client has the file, 404 for an unknown file, and 405 for a
    /// method other than `GET` and `HEAD`.
    #[must_use]
    pub fn answer(&self, request: &FileRequest<'_>) -> StaticResponse {
        let name = request.path.strip_prefix('/').unwrap_or(request.path);
        match self.find(if name.is_empty() { "index.html" } else { name }) {
            Some(file) => StaticResponse::of(file, request),
            None => StaticResponse::not_found(),
        }
    }
}

/// Returns whether an `If-None-Match` matches a tag (RFC 9110, section 13.1.2): `*`, or by weak
/// comparison, because compression by a proxy weakens tags.
fn names(value: &[u8], etag: &[u8]) -> bool {
    value.trim_ascii() == b"*"
        || value.split(|byte| *byte == b',').any(|tag| {
            let tag = tag.trim_ascii();
            tag.strip_prefix(b"W/").unwrap_or(tag) == etag
        })
}
