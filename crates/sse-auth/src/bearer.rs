//! `Authorization: Bearer` (RFC 6750, section 2.1).

use std::str;

use crate::error::AuthError;

/// The token; `None` without a value or with another scheme.
pub(crate) fn token(value: Option<&[u8]>) -> Result<Option<&str>, AuthError> {
    let Some(value) = value else { return Ok(None) };
    let value = str::from_utf8(value).map_err(|_| AuthError::Malformed("`authorization` is not UTF-8"))?;
    let value = value.trim_matches([' ', '\t']);
    let (scheme, token) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_start_matches([' ', '\t']);
    if !is_token(token.as_bytes()) {
        return Err(AuthError::Malformed("`authorization` has no bearer token"));
    }
    Ok(Some(token))
}

/// No spaces and no commas: `Bearer a, Bearer b` is two headers that somebody folded into one.
pub(crate) fn is_token(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_has_any_case() {
        for value in ["Bearer a.b", "bearer a.b", "BEARER   a.b ", "Bearer\ta.b"] {
            assert_eq!(token(Some(value.as_bytes())).unwrap(), Some("a.b"), "{value:?}");
        }
    }

    #[test]
    fn other_schemes_are_not_ours() {
        for value in [None, Some("Basic eDp5"), Some(""), Some("Bearera.b"), Some("a.b")] {
            assert_eq!(token(value.map(str::as_bytes)).unwrap(), None, "{value:?}");
        }
    }

    #[test]
    fn a_bearer_without_one_token_is_malformed() {
        let bad: [&[u8]; 7] = [
            b"Bearer",
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer a\0",
            b"Bearer \xff",
            "Bearer ä".as_bytes(),
        ];
        for value in bad {
            assert!(matches!(token(Some(value)), Err(AuthError::Malformed(_))), "{value:?}");
        }
    }
}
