//! `sendSuccess`, `sendInfo`, `sendWarning`, `sendError`, `sendNotification`,
//! `broadcastNotification`.

use serde::Deserialize;
use sse_core::{Target, UserId};
use sse_notify::{JsonObject, Kind, Notification};

use super::Done;
use crate::{context::Context, error::Error, procedure::Procedure, validation};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SendInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Send {
    message: String,
    title: Option<String>,
    #[cfg_attr(test, ts(optional = nullable, type = "Record<string, unknown>"))]
    data: Option<JsonObject>,
    timestamp: Option<u64>,
    /// Id of the user; default: the caller.
    #[cfg_attr(test, ts(optional = nullable, type = "string"))]
    user_id: Option<UserId>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SendNotificationInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SendNotification {
    #[cfg_attr(test, ts(type = "string"))]
    user_id: UserId,
    #[serde(rename = "type")]
    #[cfg_attr(test, ts(optional = nullable, type = "NotificationType"))]
    kind: Option<Kind>,
    title: Option<String>,
    message: String,
    #[cfg_attr(test, ts(optional = nullable, type = "Record<string, unknown>"))]
    data: Option<JsonObject>,
    timestamp: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "BroadcastNotificationInput", optional_fields = nullable))]
#[serde(deny_unknown_fields)]
pub(crate) struct Broadcast {
    #[serde(rename = "type")]
    #[cfg_attr(test, ts(optional = nullable, type = "NotificationType"))]
    kind: Option<Kind>,
    title: Option<String>,
    message: String,
    #[cfg_attr(test, ts(optional = nullable, type = "Record<string, unknown>"))]
    data: Option<JsonObject>,
    timestamp: Option<u64>,
}

/// Creates a procedure that sends notifications of one kind.
pub(crate) fn send(kind: Kind) -> Procedure {
    Procedure::mutation(move |context: Context, input: Send| async move {
        let Some(user) = input.user_id.or_else(|| context.caller().user.clone()) else {
            return Err(Error::field(
                "userId",
                "is missing, and the caller is not a user",
            ));
        };
        let Send {
            message,
            title,
            data,
            timestamp,
            ..
        } = input;
        to_user(
            &context,
            user,
            notification(kind, title, message, data, timestamp)?,
        )
        .await
    })
}

pub(crate) async fn send_notification(
    context: Context,
    input: SendNotification,
) -> Result<Done, Error> {
    let SendNotification {
        user_id,
        kind,
        title,
        message,
        data,
        timestamp,
    } = input;
    let notification = notification(kind.unwrap_or_default(), title, message, data, timestamp)?;
    to_user(&context, user_id, notification).await
}

pub(crate) async fn broadcast(context: Context, input: Broadcast) -> Result<Done, Error> {
    let Broadcast {
        kind,
        title,
        message,
        data,
        timestamp,
    } = input;
    let notification = notification(kind.unwrap_or_default(), title, message, data, timestamp)?;
    notify(&context, Target::All, notification).await
}

fn notification(
    kind: Kind,
    title: Option<String>,
    message: String,
    data: Option<JsonObject>,
    timestamp: Option<u64>,
) -> Result<Notification, Error> {
    let mut notification =
        Notification::new(kind, message).timestamp(validation::timestamp(timestamp)?);
    notification.title = title;
    notification.data = data;
    Ok(notification)
}

async fn to_user(
    context: &Context,
    user: UserId,
    notification: Notification,
) -> Result<Done, Error> {
    validation::user(context, "userId", &user)?;
    notify(context, Target::User(user), notification).await
}

async fn notify(
    context: &Context,
    target: Target,
    notification: Notification,
) -> Result<Done, Error> {
    context.require_publish(&target)?;
    validation::not_empty("message", &notification.message)?;
    validation::length("message", &notification.message, context.limits().message)?;
    validation::length(
        "title",
        notification.title.as_deref().unwrap_or_default(),
        context.limits().title,
    )?;
    Ok(context
        .manager()
        .publish(target, notification)
        .await?
        .into())
}
