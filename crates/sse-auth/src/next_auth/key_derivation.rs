//! The keys of a session cookie, derived from a site's secret in the same way as in NextAuth v4 and
//! Auth.js v5.

use hkdf::Hkdf;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::{
    jwt::base64url,
    next_auth::jwe::{ContentKey, Jwe},
    secret::Secret,
};

/// A key, and the id by which tokens refer to the key.
#[derive(Debug, Clone)]
pub(crate) struct SessionKey {
    /// Id of the key; v4 has none.
    kid: Option<String>,
    pub(crate) key: ContentKey,
}

impl SessionKey {
    /// Derives the key of v4: next-auth 4 `jwt/index.js`, `getDerivedEncryptionKey` with an empty
    /// salt.
    pub(crate) fn v4(secret: &Secret) -> Self {
        let key = derived(secret, "", "NextAuth.js Generated Encryption Key");
        Self {
            kid: None,
            key: ContentKey::A256Gcm(key),
        }
    }

    /// Derives the keys of v5: `@auth/core` `jwt.js`, `getDerivedEncryptionKey` with the cookie's
    /// name as salt, for both encryptions that it decodes. The id is the thumbprint of the key (RFC
    /// 7638).
    pub(crate) fn v5(secret: &Secret, cookie: &str) -> [Self; 2] {
        let info = format!("Auth.js Generated Encryption Key ({cookie})");
        let long: Zeroizing<[u8; 64]> = derived(secret, cookie, &info);
        let short: Zeroizing<[u8; 32]> = derived(secret, cookie, &info);
        let names = [
            base64url::encode(&Sha512::digest(jwk(&*long))),
            base64url::encode(&Sha256::digest(jwk(&*short))),
        ];
        let [long_name, short_name] = names.map(Some);
        [
            Self {
                kid: long_name,
                key: ContentKey::A256CbcHs512(long),
            },
            Self {
                kid: short_name,
                key: ContentKey::A256Gcm(short),
            },
        ]
    }

    /// Returns `true` if a token may be encrypted with this key. A token with a key id fits the key
    /// with that id and keys without an id.
    pub(crate) fn fits(&self, token: &Jwe<'_>) -> bool {
        let named = match (&token.header.kid, &self.kid) {
            (Some(asked), Some(own)) => asked == own,
            _ => true,
        };
        named && self.key.encryption() == token.encryption
    }
}

fn derived<const LENGTH: usize>(
    secret: &Secret,
    salt: &str,
    info: &str,
) -> Zeroizing<[u8; LENGTH]> {
    let mut key = Zeroizing::new([0; LENGTH]);
    let hkdf = Hkdf::<Sha256>::new(Some(salt.as_bytes()), secret.bytes());
    hkdf.expand(info.as_bytes(), &mut *key)
        .expect("HKDF-SHA256 outputs up to 8160 bytes");
    key
}

/// Returns the members that count for a thumbprint, in their order.
fn jwk(key: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(format!(
        r#"{{"k":"{}","kty":"oct"}}"#,
        base64url::encode(key)
    ))
}
