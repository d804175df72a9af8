#![doc = include_str!("../README.md")]

mod backoff;
mod backplane;
mod clock;
mod dialect;
mod event;
mod follow;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod id;
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

pub use backoff::Backoff;
pub use backplane::memory::MemoryBackplane;
pub use backplane::receipt::{PublishError, Receipt};
pub use backplane::signal_handler::SignalHandler;
pub use backplane::{
    Appended, Backplane, BackplaneError, Batch, Bounds, Entry, Lease, NewEntry, Page, ReadLimit,
    Signals, Tail,
};
pub use clock::unix_ms;
pub use dialect::connect_error::{ConnectError, ConnectErrorKind, HttpResponse, STREAM_HEADERS};
pub use dialect::event_stream::{EventItem, EventStream};
pub use dialect::farewell::Farewell;
pub use dialect::heartbeat::{CommentHeartbeat, EventHeartbeat, Heartbeat};
pub use dialect::hello::Hello;
pub use dialect::reason::DisconnectReason;
pub use dialect::{Dialect, MAX_DIALECTS, Plain};
pub use event::cursor::{Cursor, CursorError, Epoch, Position};
pub use event::event_id::EventId;
pub use event::event_type::EventType;
pub use event::frame::Frame;
pub use event::frame_writer::FrameWriter;
pub use event::into_event::{IntoEvent, Payload};
pub use event::system::{RESERVED_SYSTEM_EVENTS, SystemEvent};
pub use event::writer::EventWriter;
pub use event::{Event, EventError};
pub use id::access::{Access, AllowAll, OwnEventsOnly};
pub use id::caller::Caller;
pub use id::client_id::{ClientId, ClientIdError};
pub use id::key_scope::KeyScope;
pub use id::login_id::{LoginId, LoginIdError};
pub use id::names::{MAX_NAME_BYTES, Topic, UserId};
pub use id::network::network;
pub use id::target::Target;
pub use id::validate::FieldError;
pub use log::entry_key::{EntryKey, IdempotencyKeyError, MAX_ENTRY_KEY_BYTES, MAX_KEY_BYTES};
pub use log::idempotency::{IdempotencyKeys, KEY_WINDOW};
pub use log::key_limits::{KeyBound, KeyLimits, KeysFull};
pub use log::retention::Retention;
pub use manager::Manager;
pub use manager::builder::ManagerBuilder;
pub use manager::config::{
    BuildError, Config, ConfigProblem, HeartbeatKind, LimitPolicy, Limits, RejectionStyle,
};
pub use manager::connections::{Connection, ConnectionPage, ConnectionQuery};
pub use manager::disconnect::DisconnectOptions;
pub use manager::handshake::Handshake;
pub use manager::log_stats::{LogState, LogStats};
pub use manager::presence::{PresenceWatch, UserChanges, UserPage};
pub use manager::publish::{Publish, PublishTo};
pub use manager::renew::RenewError;
pub use manager::session::{Closed, Session};
pub use manager::shutdown::{ShutdownOptions, ShutdownReport};
pub use manager::stats::{Counters, NamedCounts, Stats};
pub use manager::topics::{JoinError, LeaveError};
pub use registry::bans::Banned;
pub use stream::hooks::{Disconnection, Hooks, NoHooks, StreamInfo};
pub use stream::overflow::{CollapseBy, Overflow};
