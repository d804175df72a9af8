//! Sessions that are spread over several cookies.

use std::borrow::Cow;

use crate::{
    error::AuthError,
    next_auth::jwe,
    request::candidates::{Candidates, MAX_BYTES},
};

/// Maximum number of chunks of a session. A cookie holds about 4 KB, and servers accept headers of
/// 8 to 64 KiB.
const MAX_CHUNKS: usize = 16;

/// Assembles every session that the chunks of one name can form. Browsers send the chunks of
/// several sessions together, one set for each path and domain, and nothing shows which chunks
/// belong together.
///
/// A session is complete where its token is complete, so stale chunks of a longer session do no
/// harm.
pub(crate) fn put_together<'a>(
    chunks: impl Iterator<Item = (usize, Cow<'a, str>)>,
    sessions: &mut Candidates<'_>,
) -> Result<(), AuthError> {
    let mut values: Vec<Vec<Cow<'a, str>>> = Vec::new();
    for (number, value) in chunks {
        if number >= MAX_CHUNKS {
            return Err(AuthError::TooManyChunks { limit: MAX_CHUNKS });
        }
        if values.len() <= number {
            values.resize(number + 1, Vec::new());
        }
        if !value.is_empty() && !values[number].contains(&value) {
            values[number].push(value);
        }
    }
    let mut search = Search {
        values: &values,
        sessions,
        text: String::new(),
        bytes: 0,
        missing: None,
    };
    search.from(0)?;
    let Search { missing, .. } = search;
    missing.map_or(Ok(()), |chunk| Err(AuthError::MissingChunk { chunk }))
}

struct Search<'s, 'v, 'a, 'c> {
    values: &'v [Vec<Cow<'a, str>>],
    sessions: &'s mut Candidates<'c>,
    text: String,
    /// Number of bytes assembled so far, in all combinations that were tried.
    bytes: usize,
    /// Number of the first chunk that a session lacks.
    missing: Option<usize>,
}

impl Search<'_, '_, '_, '_> {
    fn from(&mut self, chunk: usize) -> Result<(), AuthError> {
        let values = self.values;
        let here = values.get(chunk).map_or(&[][..], Vec::as_slice);
        if here.is_empty() {
            // Either the remaining chunks are of a longer session, or this session is cut off.
            match values.len() {
                count if chunk < count => _ = self.missing.get_or_insert(chunk),
                0 => {}
                _ => self.sessions.push(self.text.clone().into())?,
            }
            return Ok(());
        }
        for value in here {
            let length = self.text.len();
            self.bytes += value.len();
            if self.bytes > MAX_BYTES {
                return Err(self.sessions.too_many());
            }
            self.text.push_str(value);
            match jwe::tag_length(&self.text) {
                Some(jwe::SHORT_TAG) if chunk + 1 < values.len() => {
                    self.sessions.push(self.text.clone().into())?;
                    // The tag can also be the first part of a longer tag.
                    if values[chunk + 1]
                        .iter()
                        .any(|next| next.len() <= jwe::LONG_TAG - jwe::SHORT_TAG)
                    {
                        self.from(chunk + 1)?;
                    }
                }
                Some(jwe::SHORT_TAG | jwe::LONG_TAG) => {
                    self.sessions.push(self.text.clone().into())?;
                }
                Some(more) if more > jwe::LONG_TAG => {}
                _ => self.from(chunk + 1)?,
            }
            self.text.truncate(length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::cookies::Cookies;

    fn sessions(header: &str) -> Result<Vec<String>, AuthError> {
        let mut found = Candidates::at_most(8);
        put_together(
            Cookies::parse([header.as_bytes()].into_iter()).chunks("s"),
            &mut found,
        )?;
        Ok(found.iter().map(str::to_owned).collect())
    }

    #[test]
    fn chunks_are_assembled_in_order() {
        for (header, expected) in [
            ("", &[][..]),
            ("s=a; t.0=b", &[]),
            ("s.1=b; s.0=a; s.2=\"c\"", &["abc"]),
            ("s.1=b; s.0=a; s.2=c; s.0=z", &["abc", "zbc"]),
            ("s.0=a; s.0=z; s.1=b; s.1=y", &["ab", "ay", "zb", "zy"]),
            (
                "s.10=k; s.0=a; s.1=b; s.2=c; s.3=d; s.4=e; s.5=f; s.6=g; s.7=h; s.8=i; s.9=j",
                &["abcdefghijk"],
            ),
        ] {
            assert_eq!(sessions(header).unwrap(), expected, "{header}");
        }
    }

    #[test]
    fn session_ends_with_its_tag() {
        let (short, long) = ("s".repeat(22), "l".repeat(43));
        for (header, expected) in [
            (
                format!("s.0=a..b; s.1=.c.{short}; s.2={long}"),
                vec![format!("a..b.c.{short}")],
            ),
            (
                format!("s.0=a..b; s.1=.c.{long}; s.2=stale"),
                vec![format!("a..b.c.{long}")],
            ),
            (
                format!("s.0=a..b.c.{short}; s.1={}", &long[22..]),
                vec![
                    format!("a..b.c.{short}"),
                    format!("a..b.c.{short}{}", &long[22..]),
                ],
            ),
            (
                format!("s.0=a..b.c.{short}; s.5=stale"),
                vec![format!("a..b.c.{short}")],
            ),
        ] {
            assert_eq!(sessions(&header).unwrap(), expected, "{header}");
        }
    }

    #[test]
    fn gaps_and_excess_are_refused() {
        assert!(matches!(
            sessions("s.1=b"),
            Err(AuthError::MissingChunk { chunk: 0 })
        ));
        assert!(matches!(
            sessions("s.0=a; s.2=c"),
            Err(AuthError::MissingChunk { chunk: 1 })
        ));
        assert!(matches!(
            sessions("s.0=a; s.16=c"),
            Err(AuthError::TooManyChunks { limit: 16 })
        ));
        let two_each: Vec<_> = (0..16)
            .flat_map(|n| [format!("s.{n}=a"), format!("s.{n}=b")])
            .collect();
        assert!(matches!(
            sessions(&two_each.join("; ")),
            Err(AuthError::TooMany { limit: 8 })
        ));
        let long: Vec<_> = (0..16)
            .map(|n| format!("s.{n}={}", "a".repeat(20_000)))
            .collect();
        assert!(matches!(
            sessions(&long.join("; ")),
            Err(AuthError::TooMany { .. })
        ));
    }
}
