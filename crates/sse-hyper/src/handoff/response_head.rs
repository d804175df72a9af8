//! The head of a response, as hyper writes it.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, Version, header, response::Parts};
use hyper::ext::ReasonPhrase;
use sse_reactor::Framing;

use crate::handoff::fallback::Fallback;

/// Headers that describe the framing of the connection. The reactor uses its own framing.
const OF_THE_FRAMING: [http::HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::UPGRADE,
];

/// Returns the reason why only hyper can write this head, or `None`.
pub(crate) fn needs_hyper<B>(response: &Response<B>) -> Option<Fallback> {
    let (status, headers) = (response.status(), response.headers());
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Some(Fallback::Encoded);
    }
    let has_no_body = status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let is_fit = response.version() == Version::HTTP_11
        && !has_no_body
        && OF_THE_FRAMING
            .iter()
            .all(|name| !headers.contains_key(name))
        && headers
            .get_all(header::CONNECTION)
            .iter()
            .all(|value| concerns_keep_alive(value.as_bytes()));
    (!is_fit).then_some(Fallback::Head)
}

fn concerns_keep_alive(value: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .all(|option| {
            option.is_empty()
                || option.eq_ignore_ascii_case(b"close")
                || option.eq_ignore_ascii_case(b"keep-alive")
        })
}

/// Returns the framing of the body for a client that speaks this version.
pub(crate) fn framing(client: Version) -> Framing {
    if client == Version::HTTP_10 {
        Framing::UntilClose
    } else {
        Framing::Chunked
    }
}

/// Returns the head, with the empty line at its end: the response's fields in their order, then the
/// fields of the connection.
pub(crate) fn head(parts: &Parts, framing: Framing) -> Bytes {
    let mut out = Vec::with_capacity(128 + 64 * parts.headers.len());
    out.extend_from_slice(match framing {
        Framing::Chunked => b"HTTP/1.1 ",
        Framing::UntilClose => b"HTTP/1.0 ",
    });
    out.extend_from_slice(parts.status.as_str().as_bytes());
    out.push(b' ');
    let reason = parts
        .extensions
        .get::<ReasonPhrase>()
        .map(ReasonPhrase::as_bytes);
    let usual = || {
        parts
            .status
            .canonical_reason()
            .unwrap_or("<none>")
            .as_bytes()
    };
    out.extend_from_slice(reason.unwrap_or_else(usual));
    out.extend_from_slice(b"\r\n");
    put_fields(&mut out, &parts.headers);
    if framing == Framing::Chunked {
        put(&mut out, "transfer-encoding", b"chunked");
    }
    put(&mut out, "connection", b"close");
    if !parts.headers.contains_key(header::DATE) {
        put(
            &mut out,
            "date",
            httpdate::fmt_http_date(SystemTime::now()).as_bytes(),
        );
    }
    out.extend_from_slice(b"\r\n");
    out.into()
}

fn put_fields(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| *name != header::CONNECTION)
    {
        put(out, name.as_str(), value.as_bytes());
    }
}

fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn response(fields: &[(&'static str, &'static str)]) -> Response<()> {
        let mut response = Response::new(());
        for (name, value) in fields {
            response
                .headers_mut()
                .append(*name, HeaderValue::from_static(value));
        }
        response
    }

    fn text(response: Response<()>, client: Version) -> String {
        String::from_utf8(head(&response.into_parts().0, framing(client)).to_vec()).unwrap()
    }

    #[test]
    fn fields_keep_order_and_connection_fields_are_last() {
        let fields = [
            ("content-type", "text/event-stream"),
            ("set-cookie", "a=1"),
            ("connection", "keep-alive"),
        ];
        let mut response = response(&fields);
        response
            .headers_mut()
            .append("set-cookie", HeaderValue::from_static("b=2"));
        response
            .headers_mut()
            .append("date", HeaderValue::from_static("then"));
        assert_eq!(
            text(response, Version::HTTP_11),
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ndate: then\r\n\
             transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        );
    }

    #[test]
    fn http_1_0_client_gets_its_version_and_no_chunks() {
        let text = text(response(&[]), Version::HTTP_10);
        let date = text
            .strip_prefix("HTTP/1.0 200 OK\r\nconnection: close\r\ndate: ")
            .unwrap();
        httpdate::parse_http_date(date.strip_suffix("\r\n\r\n").unwrap()).unwrap();
    }

    #[test]
    fn status_and_reason_are_those_of_the_response() {
        let mut odd = response(&[]);
        *odd.status_mut() = StatusCode::from_u16(299).unwrap();
        assert!(text(odd, Version::HTTP_11).starts_with("HTTP/1.1 299 <none>\r\n"));
        let mut named = response(&[]);
        named
            .extensions_mut()
            .insert(ReasonPhrase::from_static(b"Fine"));
        assert!(text(named, Version::HTTP_11).starts_with("HTTP/1.1 200 Fine\r\n"));
    }

    #[test]
    fn connection_and_framing_fields_need_hyper() {
        for (name, value) in [
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x"),
            ("upgrade", "h2c"),
            ("connection", "close, x-hop"),
        ] {
            assert_eq!(
                needs_hyper(&response(&[(name, value)])),
                Some(Fallback::Head),
                "{name}"
            );
        }
        assert_eq!(
            needs_hyper(&response(&[("content-encoding", "gzip")])),
            Some(Fallback::Encoded)
        );
        for value in ["close", "Keep-Alive", "close , keep-alive", ""] {
            assert_eq!(
                needs_hyper(&response(&[("connection", value)])),
                None,
                "{value}"
            );
        }
        let mut empty = response(&[]);
        *empty.status_mut() = StatusCode::NO_CONTENT;
        assert_eq!(needs_hyper(&empty), Some(Fallback::Head));
        let mut old = response(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(needs_hyper(&old), Some(Fallback::Head));
    }
}
