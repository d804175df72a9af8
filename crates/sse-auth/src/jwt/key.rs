//! Keys that verify tokens.

use std::path::Path;

use jsonwebtoken::{
    DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk},
};
use serde_json::Value;

use crate::{
    jwt::{algorithm::Algorithm, key_error::KeyError, signature::VerifyingKey},
    secret::Secret,
};

/// Minimum length of a secret, in bytes. HS256 demands 32 bytes (RFC 7518, section 3.2). They
/// suffice for the longer hashes too: 256 bits cannot be guessed.
const MIN_SECRET: usize = 32;

/// A key that verifies tokens, bound to the algorithms for which it was created. The algorithm in a
/// token never changes the use of a key.
///
/// ```
/// use sse_auth::{Algorithm, Key, KeyError};
///
/// let secret = "the secret that the issuer shares";
/// assert!(Key::secret(Algorithm::HS256, secret).is_ok());
/// assert!(matches!(Key::secret(Algorithm::HS256, "short"), Err(KeyError::TooShort { .. })));
/// assert!(matches!(Key::secret(Algorithm::RS256, secret), Err(KeyError::WrongAlgorithm)));
/// ```
#[derive(Debug, Clone)]
pub struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    material: VerifyingKey,
}

impl Key {
    /// Creates a key from a secret that is shared with the issuer, for one of HS256, HS384, HS512.
    /// The bytes are used unchanged: decode base64 first.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError::TooShort`] for a secret of less than 32 bytes,
    /// [`KeyError::NoSecretText`] for a key in PEM, JSON or the form of SSH, and
    /// [`KeyError::WrongAlgorithm`] for another algorithm.
    pub fn secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let secret = secret.as_ref();
        if !algorithm.is_symmetric() {
            return Err(KeyError::WrongAlgorithm);
        }
        if is_key_text(secret) {
            return Err(KeyError::NoSecretText);
        }
        Self::long_enough(secret)?;
        Ok(Self {
            kid: None,
            algorithms: vec![algorithm],
            material: VerifyingKey::Secret(Secret::new(secret)),
        })
    }

    /// Parses a public key in PEM: `PUBLIC KEY` (RSA, EC on P-256 or P-384, Ed25519) or `RSA PUBLIC
    /// KEY`. An RSA key is for RS* and PS*, the other kinds are for their one algorithm.
    /// [`algorithm`](Self::algorithm) restricts the key to one algorithm.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError::Private`] for a private key, [`KeyError::SmallRsa`] for an RSA key of
    /// less than 2048 bits, and [`KeyError::Pem`] for every other unknown text. Certificates are
    /// unknown: extract their public key (`openssl x509 -pubkey -noout`).
    pub fn pem(pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let pem = pem.as_ref();
        let has = |label: &[u8]| pem.windows(label.len()).any(|window| window == label);
        if has(b"PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        if has(b"-----BEGIN CERTIFICATE-----") {
            return Err(KeyError::Pem);
        }
        let makers = [
            (
                DecodingKey::from_rsa_pem as fn(&[u8]) -> _,
                rsa as fn(&DecodingKey) -> Option<VerifyingKey>,
            ),
            (DecodingKey::from_ec_pem, point),
            (DecodingKey::from_ed_pem, ed25519),
        ];
        let material = makers
            .into_iter()
            .find_map(|(read, make)| make(&read(pem).ok()?));
        match material.ok_or(KeyError::Pem)? {
            small if small.is_small_rsa() => Err(KeyError::SmallRsa),
            material => Ok(Self::of(material)),
        }
    }

    /// Reads a public key in PEM from a file.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`pem`](Self::pem), and an error if the file cannot be read.
    pub fn pem_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::pem(std::fs::read(path).map_err(KeyError::File)?)
    }

    /// Sets the id by which tokens refer to the key (`kid`). A key without an id is tried for
    /// tokens without an id, and for tokens with an id that no other key has.
    #[must_use]
    pub fn kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Restricts the key to one algorithm.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError::WrongAlgorithm`] if the key is not for the algorithm.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Result<Self, KeyError> {
        if !self.algorithms.contains(&algorithm) {
            return Err(KeyError::WrongAlgorithm);
        }
        self.algorithms = vec![algorithm];
        Ok(self)
    }

    /// Parses a key of a JWK set (RFC 7517).
    pub(crate) fn jwk(value: &Value) -> Result<Self, KeyError> {
        let jwk: Jwk = serde_json::from_value(value.clone())
            .map_err(|_| KeyError::Jwk("it has invalid members"))?;
        let for_signatures = value.get("use").is_none_or(|usage| usage == "sig");
        let may_verify = |operations: &Value| {
            operations
                .as_array()
                .is_some_and(|all| all.contains(&"verify".into()))
        };
        if !for_signatures || !value.get("key_ops").is_none_or(may_verify) {
            return Err(KeyError::Jwk("it is not for signatures"));
        }
        let mut key = Self::of(material(&jwk)?);
        key.kid.clone_from(&jwk.common.key_id);
        match value.get("alg") {
            None => Ok(key),
            Some(Value::String(name)) => key.algorithm(
                name.parse()
                    .map_err(|_| KeyError::Jwk("its algorithm is not known"))?,
            ),
            Some(_) => Err(KeyError::Jwk("its `alg` is not text")),
        }
    }

    pub(crate) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    pub(crate) fn is_symmetric(&self) -> bool {
        matches!(self.material, VerifyingKey::Secret(_))
    }

    /// Returns the key's id; `None` if the key has none.
    pub(crate) fn id(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.is_for(algorithm) && self.material.verify(algorithm, message, signature)
    }

    fn of(material: VerifyingKey) -> Self {
        Self {
            kid: None,
            algorithms: material.algorithms().to_vec(),
            material,
        }
    }

    fn long_enough(secret: &[u8]) -> Result<(), KeyError> {
        match secret.len() {
            length if length < MIN_SECRET => Err(KeyError::TooShort {
                length,
                least: MIN_SECRET,
            }),
            _ => Ok(()),
        }
    }
}

/// Returns `true` for the text of a public key, which must not be the secret of an HMAC: every
/// forger knows the text.
pub(crate) fn is_key_text(secret: &[u8]) -> bool {
    let marks: [&[u8]; 3] = [b"-----BEGIN", b"ssh-", b"{"];
    let text = secret.trim_ascii_start();
    marks.iter().any(|mark| text.starts_with(mark))
}

fn material(jwk: &Jwk) -> Result<VerifyingKey, KeyError> {
    let key = DecodingKey::from_jwk(jwk).map_err(|_| KeyError::Jwk("its kind is not known"))?;
    let material = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => rsa(&key),
        AlgorithmParameters::EllipticCurve(curve) => {
            point(&key).filter(|point| on_curve(point, &curve.curve))
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            ed25519(&key)
        }
        AlgorithmParameters::OctetKey(_) => {
            let secret = bytes(&key).unwrap_or_default();
            Key::long_enough(secret)?;
            Some(VerifyingKey::Secret(Secret::new(secret)))
        }
        _ => None,
    };
    match material.ok_or(KeyError::Jwk("its parameters do not fit together"))? {
        small if small.is_small_rsa() => Err(KeyError::SmallRsa),
        material => Ok(material),
    }
}

fn bytes(key: &DecodingKey) -> Option<&[u8]> {
    key.try_get_as_bytes().ok()
}

fn rsa(key: &DecodingKey) -> Option<VerifyingKey> {
    match key.kind() {
        DecodingKeyKind::SecretOrDer(der) => Some(VerifyingKey::RsaDer(der.clone())),
        // Some issuers include the sign byte of ASN.1, which `ring` refuses.
        DecodingKeyKind::RsaModulusExponent { n, e } => Some(VerifyingKey::RsaComponents {
            n: without_zeros(n),
            e: without_zeros(e),
        }),
    }
}

fn without_zeros(number: &[u8]) -> Vec<u8> {
    number
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect()
}

/// Derives the curve from the length.
fn point(key: &DecodingKey) -> Option<VerifyingKey> {
    let point = bytes(key)?;
    match (point.first()?, point.len()) {
        (4, 65) => Some(VerifyingKey::P256(point.to_vec())),
        (4, 97) => Some(VerifyingKey::P384(point.to_vec())),
        _ => None,
    }
}

fn on_curve(point: &VerifyingKey, curve: &EllipticCurve) -> bool {
    matches!(
        (point, curve),
        (VerifyingKey::P256(_), EllipticCurve::P256) | (VerifyingKey::P384(_), EllipticCurve::P384)
    )
}

fn ed25519(key: &DecodingKey) -> Option<VerifyingKey> {
    bytes(key)
        .filter(|key| key.len() == 32)
        .map(|key| VerifyingKey::Ed25519(key.to_vec()))
}
