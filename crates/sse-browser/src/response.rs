//! Answers, in no framework's terms.

use std::borrow::Cow;

use crate::static_files::{File, StaticFiles};

/// What of a request counts.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// What follows the mount point, with or without a leading slash.
    pub path: &'a str,
    /// The value of `If-None-Match`; where it stands more than once, joined by commas.
    pub if_none_match: Option<&'a [u8]>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaticResponse {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, for `HEAD` as well: servers leave it out, and take the length from it.
    pub body: &'static str,
}

impl StaticResponse {
    pub(crate) fn of(file: &File, request: &Request<'_>) -> Self {
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
            // It may be kept, but not used before it was asked for anew: a hub that was updated has
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
    /// What to answer to a request for one of them, or for the folder: its `index.html`.
    #[must_use]
    pub fn answer(&self, request: &Request<'_>) -> StaticResponse {
        let name = request.path.strip_prefix('/').unwrap_or(request.path);
        match self.find(if name.is_empty() { "index.html" } else { name }) {
            Some(file) => StaticResponse::of(file, request),
            None => StaticResponse::not_found(),
        }
    }
}

/// Whether an `If-None-Match` names a tag (RFC 9110, section 13.1.2): any, or by weak comparison,
/// since compression in between weakens tags.
fn names(value: &[u8], etag: &[u8]) -> bool {
    value.trim_ascii() == b"*"
        || value.split(|byte| *byte == b',').any(|tag| {
            let tag = tag.trim_ascii();
            tag.strip_prefix(b"W/").unwrap_or(tag) == etag
        })
}
