//! Who is asking.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    clock::unix_ms,
    id::{login_id::LoginId, names::UserId},
};

/// Who is asking: what authentication found out, in no authentication's terms.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Caller {
    /// The user; `None` for an anonymous caller.
    pub user: Option<UserId>,
    /// What else is known, as the claims of a token.
    pub claims: Map<String, Value>,
    /// Until when this holds, in Unix milliseconds: no stream of the caller's lives longer. `None`
    /// for no end.
    pub expires_at: Option<u64>,
    /// By which signing in the caller comes, where authentication can tell; else none of its
    /// streams can be kept away without keeping the user away.
    pub login: Option<LoginId>,
}

impl Caller {
    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// A user without claims.
    #[must_use]
    pub fn user(user: UserId) -> Self {
        Self {
            user: Some(user),
            ..Self::default()
        }
    }

    /// The time that is left of what authenticated the caller; zero when it is over, `None` for no
    /// end.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.expires_at
            .map(|end| Duration::from_millis(end.saturating_sub(unix_ms())))
    }
}
