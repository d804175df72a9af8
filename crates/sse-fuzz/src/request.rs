//! A request as text, so that inputs can be read and written by hand.
//!
//! ```text
//! GET /api/sse?user=ada
//! cookie: session=x
//!
//! the body
//! ```

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

/// A request that an HTTP server would pass on.
#[derive(Debug)]
pub(crate) struct TextRequest {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl TextRequest {
    /// Reads a request; `None` if an HTTP server would reject it before the application.
    pub(crate) fn parse(input: &[u8]) -> Option<Self> {
        let mut rest = input;
        let line = take_line(&mut rest)?;
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (method, uri) = (&line[..space], &line[space + 1..]);
        let mut headers = HeaderMap::new();
        while let Some(line) = take_line(&mut rest).filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            headers.append(
                name,
                HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?,
            );
        }
        let (method, uri) = (Method::from_bytes(method).ok()?, Uri::try_from(uri).ok()?);
        uri.path().starts_with('/').then(|| Self {
            method,
            uri,
            headers,
            body: Bytes::copy_from_slice(rest),
        })
    }

    /// Returns `true` if the first header with this name has this value.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.headers.get(name).is_some_and(|found| found == value)
    }
}

/// Takes a line without its end; `None` at the end of the input.
fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let end = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = rest.get(end + 1..).unwrap_or_default();
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_from_text() {
        let text = b"POST /a?b\r\ncookie: x=1\ncookie: y=2\r\n\r\nbody\n\nmore";
        let request = TextRequest::parse(text).unwrap();
        assert_eq!(
            (request.method, request.uri.to_string()),
            (Method::POST, "/a?b".to_owned())
        );
        assert_eq!(request.headers.get_all("cookie").iter().count(), 2);
        assert_eq!(request.body, "body\n\nmore");
    }

    #[test]
    fn malformed_requests_are_rejected() {
        for text in [
            &b""[..],
            b"GET",
            b"GET a",
            b"GET /\xff\n",
            b"GET / \n",
            b"GET /\nx\n\n",
            b"GET /\nx: \0\n",
        ] {
            assert!(TextRequest::parse(text).is_none(), "{text:?}");
        }
    }
}
