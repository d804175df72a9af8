//! Tokens that the tests create, valid and invalid.

use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce, aead::Aead as _, aead::Payload};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};
use sse_auth::{AuthError, Authenticator, Credential, Identity, RequestView};

/// The time in these tests, in Unix seconds.
pub(crate) const NOW: u64 = 1_800_000_000;
/// A secret that is long enough for everything.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(crate) const V4: &str = "next-auth.session-token";
pub(crate) const V5: &str = "authjs.session-token";

pub(crate) fn claims() -> Value {
    json!({ "sub": "ada", "name": "Adä", "exp": NOW + 60 })
}

/// Returns the claims with one of them changed.
pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

/// Creates a signed token with an HMAC by SHA-256.
pub(crate) fn hs256(header: &Value, payload: impl AsRef<[u8]>, secret: &[u8]) -> String {
    let message = format!("{}.{}", b64(header.to_string()), b64(payload));
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(secret).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", b64(mac.finalize().into_bytes()))
}

/// A key pair whose public half is available as a JWK.
pub(crate) struct Es256(EcdsaKeyPair);

impl Es256 {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
                .unwrap(),
        )
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..]), "kid": kid })
    }

    pub(crate) fn sign(&self, kid: &str, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": kid });
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = self
            .0
            .sign(&SystemRandom::new(), message.as_bytes())
            .unwrap();
        format!("{message}.{}", b64(signature))
    }
}

fn derived(secret: &str, salt: &str, info: &str, length: usize) -> Vec<u8> {
    let mut key = vec![0; length];
    Hkdf::<Sha256>::new(Some(salt.as_bytes()), secret.as_bytes())
        .expand(info.as_bytes(), &mut key)
        .unwrap();
    key
}

fn v5_key(secret: &str, cookie: &str, length: usize) -> Vec<u8> {
    derived(
        secret,
        cookie,
        &format!("Auth.js Generated Encryption Key ({cookie})"),
        length,
    )
}

/// Creates a session of NextAuth v4.
pub(crate) fn v4(secret: &str, header: &Value, content: impl AsRef<[u8]>) -> String {
    let key = derived(secret, "", "NextAuth.js Generated Encryption Key", 32);
    gcm(&key, header, content.as_ref())
}

/// Creates a session of an early Auth.js v5.
pub(crate) fn v5_gcm(
    secret: &str,
    cookie: &str,
    header: &Value,
    content: impl AsRef<[u8]>,
) -> String {
    gcm(&v5_key(secret, cookie, 32), header, content.as_ref())
}

/// Creates a session of Auth.js v5.
pub(crate) fn v5(secret: &str, cookie: &str, header: &Value, content: impl AsRef<[u8]>) -> String {
    let key = v5_key(secret, cookie, 64);
    let iv = [9; 16];
    let aad = b64(header.to_string());
    let cipher = cbc::Encryptor::<aes::Aes256>::new_from_slices(&key[32..], &iv).unwrap();
    let ciphertext = cipher.encrypt_padded_vec::<Pkcs7>(content.as_ref());
    let mut mac = <Hmac<Sha512> as hmac::KeyInit>::new_from_slice(&key[..32]).unwrap();
    for part in [
        aad.as_bytes(),
        &iv,
        &ciphertext,
        &(aad.len() as u64 * 8).to_be_bytes(),
    ] {
        mac.update(part);
    }
    format!(
        "{aad}..{}.{}.{}",
        b64(iv),
        b64(ciphertext),
        b64(&mac.finalize().into_bytes()[..32])
    )
}

/// Returns the id of a key of v5 (RFC 7638).
pub(crate) fn v5_kid(secret: &str, cookie: &str) -> String {
    b64(Sha512::digest(format!(
        r#"{{"k":"{}","kty":"oct"}}"#,
        b64(v5_key(secret, cookie, 64))
    )))
}

fn gcm(key: &[u8], header: &Value, content: &[u8]) -> String {
    let nonce = [7; 12];
    let aad = b64(header.to_string());
    let payload = Payload {
        msg: content,
        aad: aad.as_bytes(),
    };
    let sealed = Aes256Gcm::new_from_slice(key)
        .unwrap()
        .encrypt(&Nonce::from(nonce), payload)
        .unwrap();
    let (ciphertext, tag) = sealed.split_at(sealed.len() - 16);
    format!("{aad}..{}.{}.{}", b64(nonce), b64(ciphertext), b64(tag))
}

/// Authenticates a request with one header.
pub(crate) async fn ask(
    who: &impl Authenticator,
    name: &str,
    value: &str,
) -> Result<Option<Identity>, AuthError> {
    who.authenticate(&RequestView::new("GET").header(name, value))
        .await
}

pub(crate) async fn ask_cookie(
    who: &impl Authenticator,
    name: &str,
    value: &str,
) -> Result<Option<Identity>, AuthError> {
    ask(who, "cookie", &format!("{name}={value}")).await
}

pub(crate) async fn ask_bearer(
    who: &impl Authenticator,
    token: &str,
) -> Result<Option<Identity>, AuthError> {
    ask(who, "authorization", &format!("Bearer {token}")).await
}

/// Returns the user, and the credential that identified the user.
#[track_caller]
pub(crate) fn accepted(answer: Result<Option<Identity>, AuthError>) -> (String, Credential) {
    let identity = answer.unwrap().unwrap();
    (identity.user.unwrap(), identity.credential)
}

/// Returns the debug output of the error.
#[track_caller]
pub(crate) fn refused(answer: Result<Option<Identity>, AuthError>) -> String {
    format!("{:?}", answer.unwrap_err())
}
