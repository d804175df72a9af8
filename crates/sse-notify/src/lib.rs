#![doc = include_str!("../README.md")]

mod kind;
mod notification;
mod notifier;
mod recipient;
mod send;

pub use kind::{Kind, UnknownKind};
pub use notification::Notification;
pub use notifier::Notifier;
pub use recipient::Recipient;
pub use send::{SendNotification, SendSystemEvent, Sending};
