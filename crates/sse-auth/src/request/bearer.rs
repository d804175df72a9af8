//! `Authorization: Bearer` (RFC 6750, section 2.1).

use std::str;

use crate::error::AuthError;

/// Returns the bearer tokens of a header's values. Other schemes are ignored: a proxy in front may
/// have added them for its own use.
///
/// Proxies can also join several values with commas, which no token contains.
pub(crate) fn tokens<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Result<&'a str, AuthError>> {
    values
        .flat_map(|value| value.split(|byte| *byte == b','))
        .filter_map(token)
}

fn token(value: &[u8]) -> Option<Result<&str, AuthError>> {
    let value = value.trim_ascii();
    let end = value
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(value.len());
    let (scheme, token) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    let token = token.trim_ascii_start();
    let malformed = AuthError::Malformed("`authorization` has no bearer token");
    Some(
        str::from_utf8(token)
            .ok()
            .filter(|_| is_token(token))
            .ok_or(malformed),
    )
}

/// Returns `true` for a token without spaces and commas: `Bearer a, Bearer b` is two headers that a
/// proxy joined into one.
pub(crate) fn is_token(token: &[u8]) -> bool {
    !token.is_empty()
        && token
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(values: &[&[u8]]) -> Vec<Option<String>> {
        tokens(values.iter().copied())
            .map(|token| token.ok().map(str::to_owned))
            .collect()
    }

    fn some(tokens: &[&str]) -> Vec<Option<String>> {
        tokens
            .iter()
            .map(|token| Some((*token).to_owned()))
            .collect()
    }

    #[test]
    fn the_scheme_has_any_case() {
        for value in [
            "Bearer a.b",
            "bearer a.b",
            "BEARER   a.b ",
            "Bearer\ta.b",
            "\tBearer a.b",
        ] {
            assert_eq!(all(&[value.as_bytes()]), some(&["a.b"]), "{value:?}");
        }
    }

    #[test]
    fn other_schemes_are_ignored() {
        let values: [&[u8]; 13] = [
            b"",
            b"Basic eDp5",
            b"basic",
            b"Digest username=\"x\", realm=\"y\", qop=auth",
            b"Negotiate YII=",
            b"NTLM TlRM",
            b"DPoP a.b",
            b"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=c, Signature=d",
            b"Bearera.b",
            b"a.b",
            b"Basic \xff",
            b"\xff",
            b",,",
        ];
        for value in values {
            assert_eq!(all(&[value]), [], "{value:?}");
            assert_eq!(all(&[value, b"Bearer a.b"]), some(&["a.b"]), "{value:?}");
            assert_eq!(all(&[b"Bearer a.b", value]), some(&["a.b"]), "{value:?}");
            assert_eq!(
                all(&[&[value, b", Bearer a.b"].concat()]),
                some(&["a.b"]),
                "{value:?}"
            );
        }
    }

    #[test]
    fn all_tokens_are_found() {
        assert_eq!(
            all(&[b"Bearer a", b"Bearer b, bearer c"]),
            some(&["a", "b", "c"])
        );
    }

    #[test]
    fn bearer_without_a_valid_token_is_malformed() {
        let bad: [&[u8]; 6] = [
            b"Bearer",
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a\0",
            b"Bearer \xff",
            "Bearer ä".as_bytes(),
        ];
        for value in bad {
            assert_eq!(all(&[value]), [None], "{value:?}");
        }
    }
}
