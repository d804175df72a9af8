//! The header `Cookie`, and sessions that are spread over several cookies.

use std::{borrow::Cow, str};

use percent_encoding::percent_decode_str;

use crate::error::AuthError;

/// A cookie holds about 4 KB, and what a server takes as headers is 8 to 64 KiB.
pub(crate) const MAX_CHUNKS: usize = 16;

/// The cookies of a request, in its order.
pub(crate) struct Cookies<'a> {
    pairs: Vec<(&'a str, &'a str)>,
}

/// What a request holds of one session, of which the whole may be stale and the chunks current, or the other way round.
#[derive(Debug)]
pub(crate) struct Spread<'a> {
    /// The cookie with the exact name.
    pub(crate) whole: Option<Cow<'a, str>>,
    /// `name.0`, `name.1` and so on, put together.
    pub(crate) chunks: Option<Result<String, AuthError>>,
}

impl<'a> Cookies<'a> {
    /// HTTP/2 may split the header into several. What is no pair, or not UTF-8, is passed over, as everywhere.
    pub(crate) fn parse(headers: impl Iterator<Item = &'a [u8]>) -> Self {
        let pairs = headers.flat_map(|header| header.split(|byte| *byte == b';'));
        Self { pairs: pairs.filter_map(pair).collect() }
    }

    /// The first cookie with a name.
    pub(crate) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.pairs.iter().find(|(other, _)| *other == name).map(|(_, value)| decoded(value))
    }

    /// A session that may be spread over chunks. Only exact names count: next-auth itself takes every cookie whose name begins like that of the
    /// session, and makes garbage of a stale whole beside chunks.
    pub(crate) fn spread(&self, name: &str, limit: usize) -> Spread<'a> {
        let mut chunks: Vec<Option<&str>> = Vec::new();
        let mut too_many = false;
        for (other, value) in &self.pairs {
            match other.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).and_then(number) {
                Some(number) if number < MAX_CHUNKS => put(&mut chunks, number, value),
                Some(_) => too_many = true,
                None => {}
            }
        }
        let chunks = match too_many {
            true => Some(Err(AuthError::TooManyChunks { limit: MAX_CHUNKS })),
            false if chunks.is_empty() => None,
            false => Some(joined(&chunks, limit)),
        };
        Spread { whole: self.get(name), chunks }
    }
}

impl<'a> Spread<'a> {
    /// Everything that may be the session, in the order in which it is tried.
    pub(crate) fn candidates(self) -> impl Iterator<Item = Result<Cow<'a, str>, AuthError>> {
        self.whole.map(Ok).into_iter().chain(self.chunks.map(|chunks| chunks.map(Cow::Owned)))
    }
}

/// The first of several with one name counts.
fn put<'a>(chunks: &mut Vec<Option<&'a str>>, number: usize, value: &'a str) {
    if chunks.len() <= number {
        chunks.resize(number + 1, None);
    }
    chunks[number].get_or_insert(value);
}

fn joined(chunks: &[Option<&str>], limit: usize) -> Result<String, AuthError> {
    let mut session = String::new();
    for (chunk, value) in chunks.iter().enumerate() {
        session.push_str(&decoded(value.ok_or(AuthError::MissingChunk { chunk })?));
        if session.len() > limit {
            return Err(AuthError::TooLong { limit });
        }
    }
    Ok(session)
}

/// The number of a chunk, in the one spelling that is written.
fn number(text: &str) -> Option<usize> {
    let canonical = text == "0" || !text.starts_with('0');
    // More digits are no number that anybody wrote, and might overflow.
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

fn pair(bytes: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = str::from_utf8(bytes).ok()?.split_once('=')?;
    let (name, value) = (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    if name.is_empty() { None } else { Some((name, unquoted.unwrap_or(value))) }
}

/// What does not decode to text stays as it came.
fn decoded(value: &str) -> Cow<'_, str> {
    percent_decode_str(value).decode_utf8().unwrap_or(Cow::Borrowed(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies<'a>(headers: &'a [&'a str]) -> Cookies<'a> {
        Cookies::parse(headers.iter().map(|header| header.as_bytes()))
    }

    fn chunks(header: &str) -> Result<Option<String>, AuthError> {
        cookies(&[header]).spread("s", 100).chunks.transpose()
    }

    #[test]
    fn cookies_are_read_as_browsers_and_http_2_send_them() {
        let cookies =
            cookies(&["a=1; b=\"x y\";c=%C3%A4%20;  d = e=f ", "a=2; =3; nothing; g=", "h=%zz; i=%ff; j=\""]);
        for (name, value) in [
            ("a", "1"),
            ("b", "x y"),
            ("c", "ä "),
            ("d", "e=f"),
            ("g", ""),
            ("h", "%zz"),
            ("i", "%ff"),
            ("j", "\""),
        ] {
            assert_eq!(cookies.get(name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(cookies.get("A"), None);
        assert_eq!(cookies.get(""), None);
        assert_eq!(cookies.get("nothing"), None);
    }

    #[test]
    fn what_is_not_utf_8_is_passed_over_alone() {
        let header: &[u8] = b"x=\xff; s=1";
        assert_eq!(Cookies::parse([header].into_iter()).get("s").as_deref(), Some("1"));
    }

    #[test]
    fn chunks_are_put_together_in_their_order() {
        assert_eq!(chunks("s.1=b; s.0=a; s.2=\"c\"; s.0=z").unwrap().as_deref(), Some("abc"));
        assert_eq!(
            chunks("s.10=k; s.0=a; s.1=b; s.2=c; s.3=d; s.4=e; s.5=f; s.6=g; s.7=h; s.8=i; s.9=j")
                .unwrap()
                .as_deref(),
            Some("abcdefghijk")
        );
    }

    #[test]
    fn the_whole_stands_beside_chunks() {
        let cookies = cookies(&["s=stale; s.0=a; s.1=b"]);
        let spread = cookies.spread("s", 9);
        let candidates: Vec<_> = spread.candidates().map(Result::unwrap).collect();
        assert_eq!(candidates, ["stale", "ab"]);
    }

    #[test]
    fn other_names_are_no_chunks() {
        for header in [
            "s.=a",
            "s.00=a",
            "s.01=a",
            "s.x=a",
            "s.-0=a",
            "s.+0=a",
            "s0=a",
            "sx.0=a",
            "s.0.0=a",
            "s.9999999999999999999999=a",
            "S.0=a",
        ] {
            assert_eq!(chunks(header).unwrap(), None, "{header}");
        }
    }

    #[test]
    fn gaps_and_excess_are_refused() {
        assert!(matches!(chunks("s.1=b"), Err(AuthError::MissingChunk { chunk: 0 })));
        assert!(matches!(chunks("s.0=a; s.2=c"), Err(AuthError::MissingChunk { chunk: 1 })));
        assert!(matches!(chunks("s.0=a; s.16=c"), Err(AuthError::TooManyChunks { limit: 16 })));
        let long = format!("s.0={0}; s.1={0}", "a".repeat(51));
        assert!(matches!(chunks(&long), Err(AuthError::TooLong { limit: 100 })));
    }
}
