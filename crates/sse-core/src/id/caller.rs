//! The caller of a request.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    clock::unix_ms,
    id::{login_id::LoginId, names::UserId},
};

/// The caller of a request as authentication identified it, independent of the authentication
/// scheme.
///
/// ```
/// use sse_core::{Caller, Handshake, Manager, UserId, backplane::unix_ms};
///
/// let mut caller = Caller::user(UserId::new("42")?);
/// caller.claims.insert("role".into(), "editor".into());
/// caller.expires_at = Some(unix_ms() + 60 * 60 * 1000);
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().caller(caller))?;
/// assert_eq!(session.user_id().map(UserId::as_str), Some("42"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Caller {
    /// User of the caller; `None` for an anonymous caller.
    pub user: Option<UserId>,
    /// Further facts about the caller, as the claims of a token.
    pub claims: Map<String, Value>,
    /// End of the authentication in Unix milliseconds. Every stream of the caller ends by then,
    /// after a random 80 to 100 % of the remaining time. `None` for no end.
    pub expires_at: Option<u64>,
    /// Sign-in of the caller, if authentication provides one. Without it, only the whole user can
    /// be banned.
    pub login: Option<LoginId>,
}

impl Caller {
    /// Creates an anonymous caller.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Creates a caller for a user without claims.
    #[must_use]
    pub fn user(user: UserId) -> Self {
        Self {
            user: Some(user),
            ..Self::default()
        }
    }

    /// Returns the time until the authentication expires: zero if it has expired, `None` for no
    /// end.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.expires_at
            .map(|end| Duration::from_millis(end.saturating_sub(unix_ms())))
    }
}
