//! The head of a response.

use crate::error::Error;

/// The fields of a head, in their order; names are compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Returns the value of the first field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// Returns the values of all fields with this name.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Returns all fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Status and headers of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `true` if the peer speaks HTTP/1.1, `false` for HTTP/1.0.
    pub is_http11: bool,
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
}

impl Head {
    /// Parses a head without the empty line at its end.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        // A value may hold any bytes above 0x7F (RFC 9110, section 5.5).
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let (is_http11, status) = status_line(lines.next().unwrap_or_default())?;
        let headers = lines.map(field).collect::<Result<_, _>>()?;
        Ok(Self {
            is_http11,
            status,
            headers: Headers(headers),
        })
    }

    /// Fails unless a browser would read this response as an event stream.
    ///
    /// # Errors
    ///
    /// [`Error::NotAStream`], with the status and the content type.
    pub fn expect_stream(&self) -> Result<(), Error> {
        let content_type = self.headers.get("content-type");
        let essence = content_type
            .and_then(|value| value.split(';').next())
            .unwrap_or_default();
        if self.status == 200 && essence.trim().eq_ignore_ascii_case("text/event-stream") {
            return Ok(());
        }
        Err(Error::NotAStream {
            status: self.status,
            content_type: content_type.map(str::to_owned),
        })
    }
}

fn status_line(line: &str) -> Result<(bool, u16), Error> {
    let malformed = || Error::Protocol(format!("status line {line:?}"));
    let (version, rest) = line.split_once(' ').ok_or_else(malformed)?;
    let is_http11 = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ => return Err(malformed()),
    };
    // The space before an empty reason phrase is not optional (RFC 9112, section 4).
    let (code, _reason) = rest.split_once(' ').ok_or_else(malformed)?;
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    let status = code
        .parse()
        .ok()
        .filter(|_| is_code)
        .ok_or_else(malformed)?;
    Ok((is_http11, status))
}

fn field(line: &str) -> Result<(String, String), Error> {
    let malformed = || Error::Protocol(format!("header line {line:?}"));
    let (name, value) = line.split_once(':').ok_or_else(malformed)?;
    let value = value.trim_matches([' ', '\t']);
    let is_good =
        !name.is_empty() && name.bytes().all(is_token) && !value.contains(['\r', '\n', '\0']);
    if is_good {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err(malformed())
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let head = Head::parse(
            b"HTTP/1.1 200 OK\r\nContent-Type:text/event-stream\r\nvary: a\r\nVary:  b\t",
        )
        .unwrap();
        assert_eq!((head.is_http11, head.status), (true, 200));
        assert_eq!(head.headers.get("content-type"), Some("text/event-stream"));
        assert_eq!(head.headers.get_all("VARY").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(head.headers.get("x"), None);
        assert_eq!(Head::parse(b"HTTP/1.0 204 ").unwrap().status, 204);
    }

    #[test]
    fn a_malformed_head_is_refused() {
        let malformed: [&[u8]; 12] = [
            b"",
            b"HTTP/1.1 200",
            b"HTTP/2 200 OK",
            b"http/1.1 200 OK",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 +20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 200 OK\r\nno colon",
            b"HTTP/1.1 200 OK\r\nname : value",
            b"HTTP/1.1 200 OK\r\n: value",
            b"HTTP/1.1 200 OK\r\na: b\r\n folded",
            b"HTTP/1.1 200 OK\r\na: b\nc: d",
        ];
        for head in malformed {
            let result = Head::parse(head);
            assert!(
                matches!(result, Err(Error::Protocol(_))),
                "{:?}: {result:?}",
                String::from_utf8_lossy(head)
            );
        }
    }

    #[test]
    fn only_readable_responses_are_streams() {
        let judged = |text: &str| Head::parse(text.as_bytes()).unwrap().expect_stream();
        judged("HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8").unwrap();
        for bad in [
            "200 OK\r\ncontent-type: text/plain",
            "200 OK",
            "204 No\r\ncontent-type: text/event-stream",
        ] {
            assert!(judged(&format!("HTTP/1.1 {bad}")).is_err(), "{bad}");
        }
    }
}
