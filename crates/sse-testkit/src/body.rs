//! The framing of a body.

use crate::{dechunker::Dechunker, end::End, error::Error, head::Head};

/// The framing of one response's body.
#[derive(Debug)]
pub(crate) enum BodyFraming {
    Length(u64),
    Chunked(Dechunker),
    UntilClose,
}

impl BodyFraming {
    /// Returns the framing that the head announces for the response to a request with this method
    /// (RFC 9112, section 6.3).
    pub(crate) fn of(method: &str, head: &Head) -> Result<Self, Error> {
        let coding = head.headers.get("transfer-encoding");
        let length = length(head)?;
        if method == "HEAD" || matches!(head.status, 204 | 304) {
            return Ok(Self::Length(0));
        }
        match (coding, length) {
            (None, None) => Ok(Self::UntilClose),
            (None, Some(length)) => Ok(Self::Length(length)),
            (Some(_), Some(_)) => Err(Error::Protocol(
                "both Transfer-Encoding and Content-Length".into(),
            )),
            (Some(_), None) if !head.is_http11 => {
                Err(Error::Protocol("Transfer-Encoding in HTTP/1.0".into()))
            }
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => {
                Ok(Self::Chunked(Dechunker::new()))
            }
            (Some(coding), None) => Err(Error::Protocol(format!("Transfer-Encoding {coding:?}"))),
        }
    }

    /// Takes the next bytes, appends the content, and returns how many bytes belong to this body.
    pub(crate) fn feed(&mut self, bytes: &[u8], content: &mut Vec<u8>) -> Result<usize, Error> {
        let taken = match self {
            Self::Chunked(dechunker) => return dechunker.feed(bytes, content),
            Self::UntilClose => bytes.len(),
            Self::Length(left) => {
                let taken =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                taken
            }
        };
        content.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Returns `true` if the body was marked as complete.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(dechunker) => dechunker.is_complete(),
            Self::UntilClose => false,
        }
    }

    /// Returns the end of the body if the connection is closed before the body was complete.
    pub(crate) fn end_at_close(&self) -> End {
        if matches!(self, Self::UntilClose) {
            End::Closed
        } else {
            End::Cut
        }
    }
}

fn length(head: &Head) -> Result<Option<u64>, Error> {
    let values: Vec<_> = head.headers.get_all("content-length").collect();
    match values.as_slice() {
        [] => Ok(None),
        [value] if value.bytes().all(|byte| byte.is_ascii_digit()) => value
            .parse()
            .map(Some)
            .map_err(|_| Error::Protocol(format!("Content-Length {value:?}"))),
        _ => Err(Error::Protocol(format!("Content-Length {values:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(method: &str, head: &str) -> Result<BodyFraming, Error> {
        BodyFraming::of(method, &Head::parse(head.as_bytes()).unwrap())
    }

    #[test]
    fn framing_is_read_from_the_head() {
        assert!(matches!(
            body("GET", "HTTP/1.1 200 OK"),
            Ok(BodyFraming::UntilClose)
        ));
        assert!(matches!(
            body("GET", "HTTP/1.1 200 OK\r\ncontent-length: 12"),
            Ok(BodyFraming::Length(12))
        ));
        assert!(matches!(
            body("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked"),
            Ok(BodyFraming::Chunked(_))
        ));
        assert!(matches!(
            body("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked"),
            Ok(BodyFraming::Length(0))
        ));
        assert!(matches!(
            body("GET", "HTTP/1.1 204 No Content"),
            Ok(BodyFraming::Length(0))
        ));
    }

    #[test]
    fn contradictions_are_refused() {
        for fields in [
            "transfer-encoding: chunked\r\ncontent-length: 1",
            "transfer-encoding: gzip, chunked",
            "content-length: 1\r\ncontent-length: 1",
            "content-length: +1",
            "content-length: ",
            "content-length: 99999999999999999999",
        ] {
            assert!(
                body("GET", &format!("HTTP/1.1 200 OK\r\n{fields}")).is_err(),
                "{fields}"
            );
        }
        assert!(body("GET", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked").is_err());
    }

    #[test]
    fn a_body_takes_its_length_and_no_more() {
        let (mut body, mut content) = (BodyFraming::Length(3), Vec::new());
        assert_eq!(body.feed(b"ab", &mut content).unwrap(), 2);
        assert!(!body.is_complete());
        assert_eq!(body.end_at_close(), End::Cut);
        assert_eq!(body.feed(b"cde", &mut content).unwrap(), 1);
        assert!(body.is_complete());
        assert_eq!(content, b"abc");
    }
}
