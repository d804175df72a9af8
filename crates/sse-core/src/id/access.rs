//! Access control for callers.

use crate::id::{caller::Caller, names::Topic, target::Target};

/// The permissions of callers. The server checks them for everything that a *caller* requests,
/// never for what the app itself does.
///
/// A decision depends on the caller and its claims alone, and an implementation must not block. A
/// decision that needs a database belongs in authentication, which can add a claim.
///
/// ```
/// use sse_core::{Caller, Handshake, Manager, Target, Topic, access::Access};
///
/// /// Everyone can listen to public topics.
/// struct PublicTopics;
///
/// impl Access for PublicTopics {
///     fn may_join(&self, _: &Caller, topic: &Topic) -> bool {
///         topic.as_str().starts_with("public/")
///     }
///
///     fn may_publish(&self, _: &Caller, _: &Target) -> bool {
///         false
///     }
///
///     fn may_manage(&self, _: &Caller) -> bool {
///         false
///     }
/// }
///
/// let manager = Manager::builder().access(PublicTopics).build()?;
/// assert!(manager.connect(Handshake::new().requested_topic("public/news")).is_ok());
/// assert!(manager.connect(Handshake::new().requested_topic("orders/7")).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Access: Send + Sync + 'static {
    /// Returns `true` if the caller may listen to a topic that it requests, live and in replay.
    fn may_join(&self, caller: &Caller, topic: &Topic) -> bool;

    /// Returns `true` if the caller may publish to a target.
    fn may_publish(&self, caller: &Caller, target: &Target) -> bool;

    /// Returns `true` if the caller may publish to at least one target. If `false`, the server
    /// rejects a publish before it reads the body.
    fn may_publish_at_all(&self, caller: &Caller) -> bool {
        let _ = caller;
        true
    }

    /// Returns `true` if the caller may see statistics and connections, disconnect other clients,
    /// and join and leave topics on their behalf.
    fn may_manage(&self, caller: &Caller) -> bool;
}

/// Access control that allows everything, for demonstrations and for servers that another component
/// protects.
///
/// ```
/// use sse_core::{Caller, Target, access::{Access, AllowAll}};
///
/// assert!(AllowAll.may_publish(&Caller::anonymous(), &Target::All));
/// ```
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

/// The default access control. A caller listens to its own events and may publish to its own
/// streams. Topics come from the app alone.
///
/// ```
/// use sse_core::{Caller, Target, Topic, UserId, access::{Access, OwnEventsOnly}};
///
/// let caller = Caller::user(UserId::new("42")?);
/// assert!(OwnEventsOnly.may_publish(&caller, &Target::User(UserId::new("42")?)));
/// assert!(!OwnEventsOnly.may_publish(&caller, &Target::All));
/// assert!(!OwnEventsOnly.may_join(&caller, &Topic::new("news")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
