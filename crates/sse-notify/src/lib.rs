#![doc = include_str!("../README.md")]

mod json_object;
mod kind;
mod notification;
mod notifier;
mod notify_to;
mod send;

pub use json_object::JsonObject;
pub use kind::{Kind, UnknownKind};
pub use notification::Notification;
pub use notifier::Notifier;
pub use notify_to::NotifyTo;
pub use send::{SendNotification, SendSystemEvent, Sending};
