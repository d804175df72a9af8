//! base64url without padding, as in JOSE (RFC 7515, section 2).

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::error::AuthError;

/// Decodes strictly: padding, white space and a second spelling of the same bytes are errors.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, AuthError> {
    Base64UrlUnpadded::decode_vec(text).map_err(|_| AuthError::Malformed("a part is not base64url"))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_spelling() {
        assert_eq!(decode("AQ").unwrap(), [1]);
        assert_eq!(encode(&[1]), "AQ");
        for other in ["AR", "AQ==", "AQ=", " AQ", "AQ\n", "A", "+/", "AQ\0", "ÄQ"] {
            assert!(decode(other).is_err(), "{other:?}");
        }
    }
}
