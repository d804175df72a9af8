//! Names of the Redis keys.

use std::sync::Arc;

use sse_core::backplane::BackplaneError;

/// The key names of one log and its accompanying data. The braces put all of them into one slot of
/// a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: Arc<str>,
    pub(crate) log: Arc<str>,
    pub(crate) leases: Arc<str>,
    /// Counter of the idempotency keys of backends.
    pub(crate) of_backends: Arc<str>,
    /// Counter of the idempotency keys of all users.
    pub(crate) of_users: Arc<str>,
    /// The channel for signals. Its name includes the database, because a channel, unlike a key,
    /// belongs to no database.
    pub(crate) signals: Arc<str>,
}

const MAX_PREFIX_BYTES: usize = 64;

impl Keys {
    pub(crate) fn new(prefix: &str, database: i64) -> Result<Self, BackplaneError> {
        let fits = (1..=MAX_PREFIX_BYTES).contains(&prefix.len());
        if !fits
            || !prefix
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b":._-".contains(&byte))
        {
            return Err(BackplaneError::rejected(
                "key prefix must be 1 to 64 of the characters a-z A-Z 0-9 : . _ -",
            ));
        }
        Ok(Self {
            prefix: prefix.into(),
            log: format!("{{{prefix}}}:log").into(),
            leases: format!("{{{prefix}}}:leases").into(),
            of_backends: format!("{{{prefix}}}:keys:backends").into(),
            of_users: format!("{{{prefix}}}:keys:users").into(),
            signals: format!("{{{prefix}}}:signals:{database}").into(),
        })
    }

    /// Returns the key that records an append with an idempotency key.
    pub(crate) fn idempotency(&self, key: &str) -> String {
        format!("{{{}}}:key:{key}", self.prefix)
    }

    /// Returns the key that counts the idempotency keys of a user.
    pub(crate) fn of_user(&self, user: &str) -> String {
        format!("{{{}}}:keys:user:{user}", self.prefix)
    }

    /// Returns the key of a node's lease.
    pub(crate) fn lease(&self, node: &str) -> String {
        format!("{{{}}}:lease:{node}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_have_prefix_as_hash_tag() {
        let keys = Keys::new("shop:eu", 3).unwrap();
        assert_eq!(&*keys.log, "{shop:eu}:log");
        assert_eq!(&*keys.signals, "{shop:eu}:signals:3");
        assert_eq!(keys.idempotency("a b"), "{shop:eu}:key:a b");
    }

    #[test]
    fn prefix_that_breaks_hash_tag_is_rejected() {
        for prefix in ["", "a{b", "a}b", "a b", "ä", &"a".repeat(65)] {
            assert!(
                matches!(Keys::new(prefix, 0), Err(BackplaneError::Rejected { .. })),
                "{prefix}"
            );
        }
    }
}
