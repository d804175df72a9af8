//! The names of what is kept.

use std::sync::Arc;

use sse_core::BackplaneError;

/// The names of one log and what goes with it. The braces make one slot of them all in a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: Arc<str>,
    pub(crate) log: Arc<str>,
    pub(crate) leases: Arc<str>,
    /// Counts idempotency keys of backends.
    pub(crate) of_backends: Arc<str>,
    /// Counts idempotency keys of all users.
    pub(crate) of_users: Arc<str>,
    /// A channel, which unlike a key belongs to no database.
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
                "a key prefix is 1 to 64 of the characters a-z A-Z 0-9 : . _ -",
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

    /// Where it is kept that something was appended under an idempotency key.
    pub(crate) fn idempotency(&self, key: &str) -> String {
        format!("{{{}}}:key:{key}", self.prefix)
    }

    /// Where the idempotency keys of a user are counted.
    pub(crate) fn of_user(&self, user: &str) -> String {
        format!("{{{}}}:keys:user:{user}", self.prefix)
    }

    /// Where a node's lease is kept.
    pub(crate) fn lease(&self, node: &str) -> String {
        format!("{{{}}}:lease:{node}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_prefix_as_a_hash_tag() {
        let keys = Keys::new("shop:eu", 3).unwrap();
        assert_eq!(&*keys.log, "{shop:eu}:log");
        assert_eq!(&*keys.signals, "{shop:eu}:signals:3");
        assert_eq!(keys.idempotency("a b"), "{shop:eu}:key:a b");
    }

    #[test]
    fn a_prefix_that_would_break_the_tag_is_refused() {
        for prefix in ["", "a{b", "a}b", "a b", "ä", &"a".repeat(65)] {
            assert!(
                matches!(Keys::new(prefix, 0), Err(BackplaneError::Rejected { .. })),
                "{prefix}"
            );
        }
    }
}
