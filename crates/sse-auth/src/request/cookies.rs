//! The header `Cookie`.

use std::{borrow::Cow, str};

use percent_encoding::percent_decode_str;

/// The cookies of a request, in its order.
pub(crate) struct Cookies<'a> {
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Cookies<'a> {
    /// Parses the header, which HTTP/2 can split into several. A part that is not a pair, or not
    /// UTF-8, is skipped, as other parsers do.
    pub(crate) fn parse(headers: impl Iterator<Item = &'a [u8]>) -> Self {
        let pairs = headers.flat_map(|header| header.split(|byte| *byte == b';'));
        Self {
            pairs: pairs.filter_map(pair).collect(),
        }
    }

    /// Returns the values of all cookies of a name. A browser sends one value for each path and
    /// domain with a cookie of that name.
    pub(crate) fn all(self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.pairs
            .into_iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| decoded(value))
    }

    /// Returns the cookies `name.0`, `name.1` and so on, with their numbers. Only exact names
    /// count. next-auth itself takes every cookie whose name begins with that of the session, and
    /// produces garbage from a stale whole cookie and chunks together.
    pub(crate) fn chunks(&self, name: &str) -> impl Iterator<Item = (usize, Cow<'a, str>)> {
        self.pairs.iter().filter_map(move |(other, value)| {
            let number = other
                .strip_prefix(name)?
                .strip_prefix('.')
                .and_then(number)?;
            Some((number, decoded(value)))
        })
    }
}

/// Parses the number of a chunk, in the one spelling that the libraries write.
fn number(text: &str) -> Option<usize> {
    let canonical = text == "0" || !text.starts_with('0');
    // Longer numbers are never written, and could overflow.
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits {
        text.parse().ok()
    } else {
        None
    }
}

fn pair(bytes: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = str::from_utf8(bytes).ok()?.split_once('=')?;
    let (name, value) = (
        name.trim_matches([' ', '\t']),
        value.trim_matches([' ', '\t']),
    );
    let unquoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    if name.is_empty() {
        None
    } else {
        Some((name, unquoted.unwrap_or(value)))
    }
}

/// Percent-decodes a value; a value that does not decode to text stays unchanged.
fn decoded(value: &str) -> Cow<'_, str> {
    percent_decode_str(value)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(headers: &[&str], name: &str) -> Vec<String> {
        let cookies = Cookies::parse(headers.iter().map(|header| header.as_bytes()));
        cookies.all(name).map(Cow::into_owned).collect()
    }

    #[test]
    fn cookies_of_browsers_and_http_2_are_parsed() {
        let headers = [
            "a=1; b=\"x y\";c=%C3%A4%20;  d = e=f ",
            "a=2; =3; nothing; g=",
            "h=%zz; i=%ff; j=\"",
        ];
        for (name, values) in [
            ("a", &["1", "2"][..]),
            ("b", &["x y"]),
            ("c", &["ä "]),
            ("d", &["e=f"]),
            ("g", &[""]),
            ("h", &["%zz"]),
            ("i", &["%ff"]),
            ("j", &["\""]),
            ("A", &[]),
            ("", &[]),
            ("nothing", &[]),
        ] {
            assert_eq!(all(&headers, name), values, "{name}");
        }
    }

    #[test]
    fn only_cookies_outside_utf_8_are_skipped() {
        let header: &[u8] = b"x=\xff; s=1";
        assert_eq!(
            Cookies::parse([header].into_iter())
                .all("s")
                .collect::<Vec<_>>(),
            ["1"]
        );
    }

    #[test]
    fn other_names_are_not_chunks() {
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
            assert_eq!(
                Cookies::parse([header.as_bytes()].into_iter())
                    .chunks("s")
                    .count(),
                0,
                "{header}"
            );
        }
        let cookies = Cookies::parse([&b"s.10=k; s.0=a; s.0=b"[..]].into_iter());
        let chunks: Vec<_> = cookies
            .chunks("s")
            .map(|(number, value)| (number, value.into_owned()))
            .collect();
        assert_eq!(
            chunks,
            [
                (10, "k".to_owned()),
                (0, "a".to_owned()),
                (0, "b".to_owned())
            ]
        );
    }
}
