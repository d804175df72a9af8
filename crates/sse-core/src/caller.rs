//! Who is asking.

use serde_json::{Map, Value};

use crate::name::UserId;

/// Who is asking: what authentication found out, in no authentication's terms.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Caller {
    /// The user; `None` for an anonymous caller.
    pub user: Option<UserId>,
    /// What else is known, as the claims of a token.
    pub claims: Map<String, Value>,
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
        Self { user: Some(user), claims: Map::new() }
    }
}
