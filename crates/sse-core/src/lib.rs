#![doc = include_str!("../README.md")]

mod backoff;
pub mod backplane;
mod clock;
pub mod dialect;
pub mod event;
mod follow;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod id;
mod jitter;
mod log;
mod manager;
mod registry;
mod sequencer;
mod serde_duration;
mod slab;
mod stream;
mod striped_counter;
mod sync;
pub mod throttle;

/// Permissions and bans of callers, and scopes of idempotency keys.
pub mod access {
    pub use crate::{
        id::{
            access::{Access, AllowAll, OwnEventsOnly},
            key_scope::KeyScope,
        },
        registry::bans::Banned,
    };
}

/// Settings of a [`Manager`].
pub mod config {
    pub use crate::{
        log::key_limits::{KeyBound, KeyLimits, KeysFull},
        manager::config::{ConfigProblem, HeartbeatKind, LimitPolicy, Limits, RejectionStyle},
        stream::overflow::{CollapseBy, Overflow},
    };
}

/// Connected clients and users.
pub mod connections {
    pub use crate::manager::{
        connections::{Connection, ConnectionPage, ConnectionQuery},
        presence::{PresenceWatch, UserChanges, UserPage},
    };
}

/// Callbacks of the app for events of its streams.
pub mod hooks {
    pub use crate::stream::hooks::{Disconnection, Hooks, NoHooks, StreamInfo};
}

/// Statistics of a [`Manager`].
pub mod stats {
    pub use crate::manager::{
        log_stats::{LogState, LogStats},
        stats::{Counters, NamedCounts, Stats},
    };
}

pub use backplane::receipt::{PublishError, Receipt};
pub use dialect::{
    connect_error::{ConnectError, ConnectErrorKind},
    event_stream::{EventItem, EventStream},
    reason::DisconnectReason,
};
pub use event::{Event, event_type::EventType, into_event::IntoEvent};
pub use id::{
    caller::Caller,
    client_id::ClientId,
    login_id::LoginId,
    names::{Topic, UserId},
    target::Target,
};
pub use log::retention::Retention;
pub use manager::{
    Manager,
    builder::ManagerBuilder,
    config::{BuildError, Config},
    disconnect::DisconnectOptions,
    handshake::Handshake,
    publish::{Publish, PublishTo},
    renew::RenewError,
    session::{Closed, Session},
    shutdown::{ShutdownOptions, ShutdownReport},
    topics::{JoinError, LeaveError},
};
