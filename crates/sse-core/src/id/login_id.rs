//! Identifiers of sign-ins.

use thiserror::Error;

use crate::id::hex_id::hex_id;

/// An identifier of one sign-in of a user. It distinguishes one browser of the user from the user's
/// other browsers, and recognises that browser after a reconnect.
///
/// Authentication derives it from a value that stays the same while the user is signed in there:
/// the `sid` of its tokens, or the id of its session. Use a digest of that value, never the value
/// itself: callers that may manage see login ids in listings, and other nodes receive them. The
/// text form is 32 lower-case hexadecimal digits.
///
/// ```
/// use std::time::Duration;
///
/// use sse_core::{Caller, Handshake, LoginId, Manager, UserId};
///
/// let manager = Manager::builder().build()?;
/// let mut caller = Caller::user(UserId::new("42")?);
/// let digest = [7; 16]; // the first bytes of a SHA-256 of the session id
/// caller.login = Some(LoginId::from_bytes(digest));
///
/// manager.ban(LoginId::from_bytes(digest), Duration::from_secs(60));
/// assert!(manager.connect(Handshake::new().caller(caller)).is_err());
/// assert!(manager.connect(Handshake::new().user("42")).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginId(u128);

/// The error for text that is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a login id (32 lower-case hexadecimal digits)")]
pub struct LoginIdError;

impl LoginId {
    /// Creates an id from any 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Returns the bytes that the id was created from.
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
    fn login_id_keeps_its_bytes_in_every_form() {
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
