//! Why a key cannot be used.

use thiserror::Error;

/// Why a key, or a set of them, cannot be used: a mistake in the configuration. Never repeats the
/// key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no secret, or an empty one.
    #[error("there is no secret, or an empty one")]
    NoSecret,
    /// There is no key at all.
    #[error("there is no key")]
    NoKey,
    /// More of something than is allowed.
    #[error("more than {limit} are given")]
    TooMany {
        /// How many are allowed.
        limit: usize,
    },
    /// A secret that can be guessed.
    #[error("a secret of {length} bytes is too short: at least {least} are needed")]
    TooShort {
        /// Its length.
        length: usize,
        /// The shortest that is accepted.
        least: usize,
    },
    /// Not a secret but a PEM or JSON text, of which the public part is known to everybody.
    #[error("this is a PEM or JSON text, and no secret")]
    NoSecretText,
    /// A key that no header can carry: only visible ASCII without commas can be sent as a bearer
    /// token.
    #[error("this cannot be sent as a bearer token: only visible ASCII without commas can")]
    NotSendable,
    /// The algorithm is not for a secret, or only for one.
    #[error("a key of this kind is not for this algorithm")]
    WrongAlgorithm,
    /// A private key, which only the issuer should have.
    #[error("this is a private key: give the public one")]
    Private,
    /// An RSA key of less than 2048 bits (RFC 7518, section 3.3).
    #[error("an RSA key needs at least 2048 bits")]
    SmallRsa,
    /// It is no public key in PEM: RSA, EC on P-256 or P-384, Ed25519.
    #[error("this is no public key that is known: RSA, EC (P-256, P-384), Ed25519")]
    Pem,
    /// It is no JWK that is known.
    #[error("this is no JWK that is known: {0}")]
    Jwk(&'static str),
    /// It is no JWK set.
    #[error("this is no JWK set: {0}")]
    Jwks(&'static str),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
}
