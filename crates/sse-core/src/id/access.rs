//! What a caller may do.

use crate::id::{caller::Caller, names::Topic, target::Target};

/// What a caller may do; asked for everything that a *caller* wants, never for what the app does
/// itself.
///
/// Decisions are made from the caller's claims alone, so they do not wait; what needs a database
/// belongs into authentication.
pub trait Access: Send + Sync + 'static {
    /// Whether the caller may listen to a topic that it asks for, live and in replay.
    fn may_join(&self, caller: &Caller, topic: &Topic) -> bool;

    /// Whether the caller may publish to a target.
    fn may_publish(&self, caller: &Caller, target: &Target) -> bool;

    /// Whether there is any target that the caller may publish to. If not, a publish is rejected
    /// before its body is read.
    fn may_publish_at_all(&self, caller: &Caller) -> bool {
        let _ = caller;
        true
    }

    /// Whether the caller may see statistics and connections, disconnect, join and leave for
    /// others.
    fn may_manage(&self, caller: &Caller) -> bool;
}

/// Everybody may do everything: for demonstrations, and behind something that decides.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Access for AllowAll {
    fn may_join(&self, _: &Caller, _: &Topic) -> bool {
        true
    }

    fn may_publish(&self, _: &Caller, _: &Target) -> bool {
        true
    }

    fn may_manage(&self, _: &Caller) -> bool {
        true
    }
}

/// The default: a caller listens to its own events, and may send to its own streams; topics come
/// from the app alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnEventsOnly;

impl Access for OwnEventsOnly {
    fn may_join(&self, _: &Caller, _: &Topic) -> bool {
        false
    }

    fn may_publish(&self, caller: &Caller, target: &Target) -> bool {
        match (target, &caller.user) {
            (Target::User(user), Some(caller)) => user == caller,
            _ => false,
        }
    }

    fn may_publish_at_all(&self, caller: &Caller) -> bool {
        caller.user.is_some()
    }

    fn may_manage(&self, _: &Caller) -> bool {
        false
    }
}
