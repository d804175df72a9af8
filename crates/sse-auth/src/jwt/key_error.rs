//! Reasons for which a key cannot be used.

use thiserror::Error;

/// The reason for which a key, or a set of keys, cannot be used: a mistake in the configuration.
/// The error never repeats the key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is missing or empty.
    #[error("the secret is missing or empty")]
    NoSecret,
    /// No key was added.
    #[error("there is no usable key")]
    NoKey,
    /// More secrets or cookie names are given than are supported.
    #[error("more than {limit} secrets or cookie names are given")]
    TooMany {
        /// Maximum number of secrets, and of cookie names.
        limit: usize,
    },
    /// The secret is short enough to be guessed.
    #[error("a secret of {length} bytes is too short: at least {least} are needed")]
    TooShort {
        /// Length of the secret, in bytes.
        length: usize,
        /// Minimum length, in bytes.
        least: usize,
    },
    /// The secret is the text of a key (PEM, JSON, SSH). If the key is public, everybody knows it.
    #[error("the text of a key (PEM, JSON or SSH) is not a secret")]
    NoSecretText,
    /// No header can carry the key: only visible ASCII without commas can be sent as a bearer
    /// token.
    #[error("the key cannot be sent as a bearer token: only visible ASCII without commas can")]
    NotSendable,
    /// The algorithm is not for a secret, or is only for a secret.
    #[error("the key is not for this algorithm")]
    WrongAlgorithm,
    /// The key is a private key, which only the issuer should have.
    #[error("the key is a private key; use the public key")]
    Private,
    /// The key is an RSA key of less than 2048 bits (RFC 7518, section 3.3).
    #[error("an RSA key needs at least 2048 bits")]
    SmallRsa,
    /// The text is not a public key in PEM: RSA, EC on P-256 or P-384, Ed25519.
    #[error("the text is not a known public key: RSA, EC (P-256, P-384), Ed25519")]
    Pem,
    /// The value is not a known JWK.
    #[error("the value is not a known JWK: {0}")]
    Jwk(&'static str),
    /// The text is not a JWK set.
    #[error("the text is not a JWK set: {0}")]
    Jwks(&'static str),
    /// The file cannot be read.
    #[error("failed to read the file")]
    File(#[source] std::io::Error),
}
