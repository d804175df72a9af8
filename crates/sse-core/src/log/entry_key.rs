//! Idempotency keys as backplanes store them.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{id::key_scope::KeyScope, log::key_limits::KeyLimits};

/// Maximum length of a caller's key in bytes.
pub const MAX_KEY_BYTES: usize = 128;

/// Maximum length of [`EntryKey::text`] in bytes.
pub const MAX_ENTRY_KEY_BYTES: usize = MAX_KEY_BYTES + 1;

/// First character of every text that is not the unchanged key of the app.
const SCOPED: char = '@';

/// Number of hexadecimal digits of 16 bytes.
const DIGEST: usize = 32;

/// An idempotency key and its scope, encoded as one text that is unique across all keys and scopes.
///
/// The text of an app's key is the key itself, with a second `@` before it if the key begins with
/// `@`. The text of a user's key is `@`, a digest of the user and a digest of the key. Each digest
/// is the first 16 bytes of a SHA-256 hash in hexadecimal digits. The second character
/// distinguishes the two forms.
///
/// ```
/// use sse_core::{UserId, access::KeyScope, backplane::EntryKey, config::KeyLimits};
///
/// let key = |scope: &KeyScope| EntryKey::new(scope, "order-7-paid", KeyLimits::default());
/// assert_eq!(&**key(&KeyScope::App)?.text(), "order-7-paid");
///
/// let user = KeyScope::User(UserId::new("42")?);
/// assert_ne!(key(&user)?.text(), key(&KeyScope::App)?.text());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryKey {
    text: Arc<str>,
    limits: KeyLimits,
}

impl EntryKey {
    /// Creates the key of a caller in a scope, after checking the key.
    ///
    /// # Errors
    /// [`IdempotencyKeyError::Length`] if the key is not 1 to [`MAX_KEY_BYTES`] bytes long.
    pub fn new(
        scope: &KeyScope,
        key: &str,
        limits: KeyLimits,
    ) -> Result<Self, IdempotencyKeyError> {
        Self::check_length(key)?;
        let text = match scope {
            KeyScope::App if key.starts_with(SCOPED) => format!("{SCOPED}{key}").into(),
            KeyScope::App => key.into(),
            KeyScope::User(user) => scoped(user.as_str(), key),
            // No user has an empty id.
            KeyScope::Anonymous => scoped("", key),
        };
        Ok(Self { text, limits })
    }

    pub(crate) fn check_length(key: &str) -> Result<(), IdempotencyKeyError> {
        match key.len() {
            1..=MAX_KEY_BYTES => Ok(()),
            length => Err(IdempotencyKeyError::Length {
                length,
                limit: MAX_KEY_BYTES,
            }),
        }
    }

    /// Returns the text that represents the key: 1 to [`MAX_ENTRY_KEY_BYTES`] bytes of any
    /// characters.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns a digest of the user whose key it is, or `None` for a key of the app.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        user_of(&self.text)
    }

    /// Returns the limits on the number of keys that the backplane holds.
    #[must_use]
    pub fn limits(&self) -> &KeyLimits {
        &self.limits
    }
}

/// Creates a key of the app with the default limits.
impl TryFrom<&str> for EntryKey {
    type Error = IdempotencyKeyError;

    fn try_from(key: &str) -> Result<Self, IdempotencyKeyError> {
        Self::new(&KeyScope::App, key, KeyLimits::default())
    }
}

/// Returns the digest of the user in the text of a key. Older versions stored texts that are keys
/// of the app; those can match as well.
pub(crate) fn user_of(text: &str) -> Option<&str> {
    let digests = text.strip_prefix(SCOPED)?;
    let is_scoped =
        digests.len() == 2 * DIGEST && digests.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_scoped.then(|| &digests[..DIGEST])
}

fn scoped(user: &str, key: &str) -> Arc<str> {
    format!("{SCOPED}{:032x}{:032x}", digest(user), digest(key)).into()
}

fn digest(text: &str) -> u128 {
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        <[u8; 32]>::from(Sha256::digest(text));
    u128::from_be_bytes(bytes)
}

/// The error for an idempotency key that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdempotencyKeyError {
    /// The key is empty or longer than the limit.
    #[error("must be 1 to {limit} bytes long, not {length}")]
    Length {
        /// Length of the key in bytes.
        length: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// No log exists that would remember the key, or the event is kept out of the log.
    #[error("requires an event in the event log")]
    NotLogged,
}

#[cfg(all(test, not(loom)))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;

    use super::*;
    use crate::id::names::UserId;

    fn entry_key(scope: &KeyScope, key: &str) -> EntryKey {
        EntryKey::new(scope, key, KeyLimits::default()).unwrap()
    }

    fn user(name: &str) -> KeyScope {
        KeyScope::User(UserId::new(name).unwrap())
    }

    fn scope() -> impl Strategy<Value = KeyScope> {
        prop_oneof![
            Just(KeyScope::App),
            Just(KeyScope::Anonymous),
            "[@:/a-c0]{1,3}".prop_map(|name| user(&name)),
            "[^\\p{Cc}]{1,60}".prop_map(|name| user(&name)),
        ]
    }

    fn key() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            "[@:/a-c0]{1,3}",
            "\\PC{1,30}",
            any::<String>(),
            "[\\x00-\\x7f]{128}"
        ];
        text.prop_filter("1 to 128 bytes", |key| {
            (1..=MAX_KEY_BYTES).contains(&key.len())
        })
    }

    proptest! {
        #[test]
        fn different_keys_or_scopes_have_different_texts(a in scope(), b in scope(), key in key(), other in key()) {
            let (one, two) = (entry_key(&a, &key), entry_key(&b, &other));
            prop_assert_eq!(one.text() == two.text(), a == b && key == other);
            prop_assert!((1..=MAX_ENTRY_KEY_BYTES).contains(&one.text().len()));
        }

        #[test]
        fn key_cannot_forge_a_key_of_another_scope(a in scope(), b in scope(), key in key()) {
            let victim = entry_key(&a, &key);
            // The text that is stored for one caller is the strongest forgery that another caller
            // can try.
            if let Ok(forged) = EntryKey::new(&b, victim.text(), KeyLimits::default()) {
                prop_assert!(forged.text() != victim.text() || (a == KeyScope::App && b == KeyScope::App));
            }
        }

        #[test]
        fn key_text_identifies_its_user(scope in scope(), key in key(), other in key()) {
            let (found, another) = (entry_key(&scope, &key), entry_key(&scope, &other));
            prop_assert_eq!(found.user().is_none(), scope == KeyScope::App);
            prop_assert_eq!(another.user(), found.user());
        }
    }

    #[test]
    fn forged_user_key_stays_in_the_app_scope() {
        let stolen = entry_key(&user("42"), "order-7-paid");
        let forged = entry_key(&KeyScope::App, stolen.text());
        assert_eq!(&**forged.text(), format!("@{}", stolen.text()));
        assert_eq!(forged.user(), None);
    }

    #[test]
    fn app_key_is_stored_as_it_is() {
        // A retry must find the text that an older version stored.
        for key in ["order-7-paid", "a@b", "nul\0", "🗝", " "] {
            assert_eq!(&**entry_key(&KeyScope::App, key).text(), key);
        }
    }

    #[test]
    fn user_key_text_is_stable_across_versions() {
        let text = entry_key(&user("42"), "order-7-paid");
        assert_eq!(
            &**text.text(),
            "@73475cb40a568e8da8a045ced110137e12faee2d2ecd6986537605970bdeb522"
        );
    }

    #[test]
    fn keys_of_invalid_length_are_rejected() {
        for length in [0, 129, 1000] {
            for scope in [KeyScope::App, user("42"), KeyScope::Anonymous] {
                let refused = EntryKey::new(&scope, &"@".repeat(length), KeyLimits::default());
                assert_eq!(
                    refused,
                    Err(IdempotencyKeyError::Length { length, limit: 128 })
                );
            }
        }
    }
}
