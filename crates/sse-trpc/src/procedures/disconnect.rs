//! `disconnect`.

use std::time::Duration;

use serde::Deserialize;
use sse_core::{DisconnectOptions, Target};

use super::Done;
use crate::{context::Context, error::Error, validation};

/// Maximum duration of a ban: 20 days, the limit of a manager.
const LONGEST_ABSENCE_MS: u64 = 20 * 24 * 60 * 60 * 1000;

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "DisconnectInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    #[cfg_attr(test, ts(type = "Target"))]
    target: Target,
    reason: Option<String>,
    stay_away_ms: Option<u64>,
}

pub(crate) async fn disconnect(context: Context, input: Input) -> Result<Done, Error> {
    validation::target(&context, &input.target)?;
    let mut how = DisconnectOptions::new();
    if let Some(reason) = input.reason {
        validation::length("reason", &reason, context.limits().reason)?;
        how = how.with_reason(reason);
    }
    if let Some(milliseconds) = input.stay_away_ms {
        check_ban(&context, &input.target).await?;
        validation::in_range("stayAwayMs", milliseconds, 1, LONGEST_ABSENCE_MS)?;
        how = how.with_ban_for(Duration::from_millis(milliseconds));
    }
    let ended = context.cluster().disconnect(input.target, how).await;
    Ok(Done::matched(ended.streams).unless(ended.complete, ended.unanswered))
}

/// Checks, before any stream is ended, that a ban can recognise the client when it returns.
async fn check_ban(context: &Context, target: &Target) -> Result<(), Error> {
    let client = match target {
        Target::User(_) => return Ok(()),
        Target::Client(client) => *client,
        _ => {
            return Err(Error::field(
                "stayAwayMs",
                "only a user or a client can be banned",
            ));
        }
    };
    match context.cluster().connection(client).await.value {
        Some(connection) if connection.login_id.is_none() => {
            let problem = "the client cannot be recognised when it returns, because it connected without a login";
            Err(Error::field("stayAwayMs", problem))
        }
        _ => Ok(()),
    }
}
