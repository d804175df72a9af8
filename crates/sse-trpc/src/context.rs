//! What a procedure works with.

use sse_core::{Caller, Manager, Target};

use crate::{code::Code, error::Error, limits::Limits};

/// What a procedure works with: the manager, and who calls.
#[derive(Debug, Clone)]
pub struct Context {
    manager: Manager,
    limits: Limits,
    caller: Caller,
}

impl Context {
    pub(crate) fn new(manager: Manager, limits: Limits, caller: Caller) -> Self {
        Self { manager, limits, caller }
    }

    /// The manager.
    #[must_use]
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// How much a call may ask for.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Asks whether the caller may publish to a target.
    ///
    /// # Errors
    /// [`Code::Unauthorized`] for a caller of whom nothing is known, else [`Code::Forbidden`].
    pub fn require_publish(&self, target: &Target) -> Result<(), Error> {
        self.require(self.manager.access().may_publish(&self.caller, target), "publish to this target")
    }

    /// Asks whether the caller may see and end streams of others.
    ///
    /// # Errors
    /// [`Code::Unauthorized`] for a caller of whom nothing is known, else [`Code::Forbidden`].
    pub fn require_manage(&self) -> Result<(), Error> {
        self.require(self.manager.access().may_manage(&self.caller), "manage streams")
    }

    fn require(&self, allowed: bool, what: &str) -> Result<(), Error> {
        if allowed {
            return Ok(());
        }
        // A backend has claims, but need not be a user.
        let anonymous = self.caller.user.is_none() && self.caller.claims.is_empty();
        Err(if anonymous {
            Error::new(Code::Unauthorized, format!("anonymous callers may not {what}"))
        } else {
            Error::new(Code::Forbidden, format!("this caller may not {what}"))
        })
    }
}
