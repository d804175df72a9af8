//! The name of one signing in.

use thiserror::Error;

use crate::id::hex_id::hex_id;

/// One signing in: what tells one browser of a user's from its others, and recognises it when it
/// comes back.
///
/// Made by authentication, of something that stays the same as long as the user is signed in there:
/// the `sid` of its tokens, the id of its session. Give a digest of that, never the thing itself:
/// managers see it in listings, and other nodes hear of it. As text 32 lower-case hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginId(u128);

/// Text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a login id (32 lower-case hexadecimal digits)")]
pub struct LoginIdError;

impl LoginId {
    /// An id of any 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The bytes that it was made of.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

hex_id!(LoginId, LoginIdError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_bytes_in_every_form() {
        let bytes = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let id = LoginId::from_bytes(bytes);
        assert_eq!(id.to_bytes(), bytes);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(
            serde_json::from_str::<LoginId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
        assert_eq!("0".parse::<LoginId>(), Err(LoginIdError));
    }
}
