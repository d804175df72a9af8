//! Reasons for which a key cannot be used.

use thiserror::Error;

/// The reason for which a key, or a set of keys, cannot be used: a mistake in the configuration.
/// The error never repeats the key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is missing or empty.
    #[error("there is no secret, or an empty one")]
    NoSecret,
    /// No key was added.
    #[error("there is no key")]
    NoKey,
    /// The number of items exceeds the limit.
    #[error("more than {limit} are given")]
    TooMany {
        /// Maximum number of items.
        limit: usize,
    },
    /// The secret is short enough to be guessed.
    #[error("a secret of {length} bytes is too short: at least {least} are needed")]
    TooShort {
        /// Length of the secret.
        length: usize,
        /// Minimum length.
        least: usize,
    },
    /// The secret is a PEM or JSON text, whose public part is known to everybody.
    #[error("this is a PEM or JSON text, and no secret")]
    NoSecretText,
    /// No header can carry the key: only visible ASCII without commas can be sent as a bearer
    /// token.
    #[error("this cannot be sent as a bearer token: only visible ASCII without commas can")]
    NotSendable,
    /// The algorithm is not for a secret, or is only for a secret.
    #[error("a key of this kind is not for this algorithm")]
    WrongAlgorithm,
    /// The key is a private key, which only the issuer should have.
    #[error("this is a private key: give the public one")]
    Private,
    /// The key is an RSA key of less than 2048 bits (RFC 7518, section 3.3).
    #[error("an RSA key needs at least 2048 bits")]
    SmallRsa,
    /// The text is not a public key in PEM: RSA, EC on P-256 or P-384, Ed25519.
    #[error("this is no public key that is known: RSA, EC (P-256, P-384), Ed25519")]
    Pem,
    /// The value is not a known JWK.
    #[error("this is no JWK that is known: {0}")]
    Jwk(&'static str),
    /// The text is not a JWK set.
    #[error("this is no JWK set: {0}")]
    Jwks(&'static str),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
}
