//! Encrypted tokens in the form of NextAuth: compact JWE with a shared key (RFC 7516, RFC 7518
//! sections 4.5 and 5).

use std::fmt;

use aes::{
    Aes256, cipher::BlockModeDecrypt as _, cipher::KeyIvInit as _, cipher::block_padding::Pkcs7,
};
use aes_gcm::{Aes256Gcm, Nonce, aead::Aead as _, aead::KeyInit as _, aead::Payload};
use hmac::{Hmac, Mac as _};
use sha2::Sha512;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    error::AuthError,
    jwt::{base64url, header::JwtHeader},
};

/// The encryption of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    A256Gcm,
    A256CbcHs512,
}

/// A key of the right length for one encryption.
#[derive(Clone)]
pub(crate) enum ContentKey {
    A256Gcm(Zeroizing<[u8; 32]>),
    /// The first half is for the MAC, the second for the cipher.
    A256CbcHs512(Zeroizing<[u8; 64]>),
}

/// A token before its decryption.
#[derive(Debug)]
pub(crate) struct Jwe<'a> {
    pub(crate) header: JwtHeader,
    pub(crate) encryption: Encryption,
    /// The authenticated data outside the content: the header, unchanged.
    aad: &'a str,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

/// Returns `true` if a text has the five parts of a compact JWE.
pub(crate) fn looks_like(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 4
}

/// Length of the tag of A256GCM in a token, in characters.
pub(crate) const SHORT_TAG: usize = 22;
/// Length of the tag of A256CBC-HS512 in a token, in characters.
pub(crate) const LONG_TAG: usize = 43;

/// Returns the length of the tag, or of the part of the tag that is present, in the beginning of a
/// token. Returns `None` if the other parts of the token are not complete.
pub(crate) fn tag_length(start: &str) -> Option<usize> {
    start.split('.').nth(4).map(str::len)
}

impl<'a> Jwe<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, AuthError> {
        let mut parts = token.split('.');
        let (Some(aad), Some(key), Some(iv), Some(ciphertext), Some(tag), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(AuthError::Malformed("an encrypted token has five parts"));
        };
        let header = JwtHeader::decode(aad)?;
        if header.algorithm != "dir" {
            return Err(AuthError::Algorithm(AuthError::excerpt(&header.algorithm)));
        }
        let encryption = Encryption::named(header.text("enc")?)?;
        if !key.is_empty() {
            return Err(AuthError::Malformed(
                "a token for a shared key contains no encrypted key",
            ));
        }
        let [iv, ciphertext, tag] = [
            base64url::decode(iv)?,
            base64url::decode(ciphertext)?,
            base64url::decode(tag)?,
        ];
        if iv.len() != encryption.iv_length() || tag.len() != encryption.tag_length() {
            return Err(AuthError::Malformed("IV or tag have the wrong length"));
        }
        Ok(Self {
            header,
            encryption,
            aad,
            iv,
            ciphertext,
            tag,
        })
    }

    /// Returns the content if the token is authentic under this key. All failures are the same.
    pub(crate) fn decrypt(&self, key: &ContentKey) -> Result<Vec<u8>, AuthError> {
        let content = match (self.encryption, key) {
            (Encryption::A256Gcm, ContentKey::A256Gcm(key)) => self.gcm(key),
            (Encryption::A256CbcHs512, ContentKey::A256CbcHs512(key)) => self.cbc_hs512(key),
            _ => None,
        };
        content.ok_or(AuthError::Integrity)
    }

    fn gcm(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let nonce: [u8; 12] = self.iv.as_slice().try_into().ok()?;
        let sealed = [self.ciphertext.as_slice(), &self.tag].concat();
        let payload = Payload {
            msg: &sealed,
            aad: self.aad.as_bytes(),
        };
        Aes256Gcm::new(&(*key).into())
            .decrypt(&Nonce::from(nonce), payload)
            .ok()
    }

    /// Decrypts by RFC 7518, section 5.2.2.2. The MAC is checked before anything is decrypted, so
    /// the padding reveals nothing.
    fn cbc_hs512(&self, key: &[u8; 64]) -> Option<Vec<u8>> {
        let (mac_key, cipher_key) = key.split_at(32);
        let aad_bits = u64::try_from(self.aad.len()).ok()?.checked_mul(8)?;
        let mut mac = <Hmac<Sha512> as hmac::KeyInit>::new_from_slice(mac_key).ok()?;
        mac.update(self.aad.as_bytes());
        mac.update(&self.iv);
        mac.update(&self.ciphertext);
        mac.update(&aad_bits.to_be_bytes());
        let expected = mac.finalize().into_bytes();
        if !bool::from(expected[..32].ct_eq(&self.tag)) {
            return None;
        }
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(cipher_key, &self.iv).ok()?;
        cipher.decrypt_padded_vec::<Pkcs7>(&self.ciphertext).ok()
    }
}

impl Encryption {
    fn named(name: Option<&str>) -> Result<Self, AuthError> {
        match name {
            Some("A256GCM") => Ok(Self::A256Gcm),
            Some("A256CBC-HS512") => Ok(Self::A256CbcHs512),
            Some(other) => Err(AuthError::Encryption(AuthError::excerpt(other))),
            None => Err(AuthError::Malformed("the header has no `enc`")),
        }
    }

    fn iv_length(self) -> usize {
        match self {
            Self::A256Gcm => 12,
            Self::A256CbcHs512 => 16,
        }
    }

    fn tag_length(self) -> usize {
        match self {
            Self::A256Gcm => 16,
            Self::A256CbcHs512 => 32,
        }
    }
}

impl ContentKey {
    pub(crate) fn encryption(&self) -> Encryption {
        match self {
            Self::A256Gcm(_) => Encryption::A256Gcm,
            Self::A256CbcHs512(_) => Encryption::A256CbcHs512,
        }
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}([redacted])", self.encryption())
    }
}
