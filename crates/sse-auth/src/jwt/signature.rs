//! Verification of signatures with `ring`.

use std::fmt;

use ring::{hmac, signature as ring_signature};
use ring_signature::{
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::{jwt::algorithm::Algorithm, secret::Secret};

/// The material of a key. Each kind works for its own algorithms alone, whatever a token declares.
#[derive(Clone)]
pub(crate) enum VerifyingKey {
    Secret(Secret),
    /// Modulus and exponent, big-endian, without leading zeros.
    RsaComponents {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An `RSAPublicKey` of PKCS #1.
    RsaDer(Vec<u8>),
    /// An uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl VerifyingKey {
    /// Returns the algorithms that the key can verify.
    pub(crate) fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Secret(_) => &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512],
            Self::RsaComponents { .. } | Self::RsaDer(_) => Algorithm::RSA,
            Self::P256(_) => &[Algorithm::ES256],
            Self::P384(_) => &[Algorithm::ES384],
            Self::Ed25519(_) => &[Algorithm::EdDSA],
        }
    }

    /// Returns `true` for an RSA key of less than 2048 bits, with which nothing is ever verified.
    pub(crate) fn is_small_rsa(&self) -> bool {
        match self {
            Self::RsaComponents { n, .. } => n.len() < 256 || (n.len() == 256 && n[0] < 0x80),
            // A sequence of two integers: 4 + 4 + 257 bytes for the modulus, and 3 for the smallest
            // exponent.
            Self::RsaDer(der) => der.len() < 268,
            _ => false,
        }
    }

    /// Returns `true` if the signature is valid. Returns `false` also if the algorithm is not for
    /// this kind of key.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Secret(secret) => hmac_algorithm(algorithm).is_some_and(|hash| {
                hmac::verify(&hmac::Key::new(hash, secret.bytes()), message, signature).is_ok()
            }),
            Self::RsaComponents { n, e } => rsa_algorithm(algorithm).is_some_and(|rsa| {
                RsaPublicKeyComponents { n, e }
                    .verify(rsa, message, signature)
                    .is_ok()
            }),
            Self::RsaDer(key) => {
                rsa_algorithm(algorithm).is_some_and(|rsa| verified(rsa, key, message, signature))
            }
            Self::P256(key) => {
                algorithm == Algorithm::ES256
                    && verified(
                        &ring_signature::ECDSA_P256_SHA256_FIXED,
                        key,
                        message,
                        signature,
                    )
            }
            Self::P384(key) => {
                algorithm == Algorithm::ES384
                    && verified(
                        &ring_signature::ECDSA_P384_SHA384_FIXED,
                        key,
                        message,
                        signature,
                    )
            }
            Self::Ed25519(key) => {
                algorithm == Algorithm::EdDSA
                    && verified(&ring_signature::ED25519, key, message, signature)
            }
        }
    }
}

fn verified(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .is_ok()
}

fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::HS256 => Some(hmac::HMAC_SHA256),
        Algorithm::HS384 => Some(hmac::HMAC_SHA384),
        Algorithm::HS512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

/// Every set of parameters demands at least 2048 bits (RFC 7518, section 3.3).
fn rsa_algorithm(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&ring_signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&ring_signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&ring_signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&ring_signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "secret [redacted]",
            Self::RsaComponents { .. } | Self::RsaDer(_) => "RSA",
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::Ed25519(_) => "Ed25519",
        })
    }
}
