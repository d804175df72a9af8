//! `createTicket`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sse_core::{Caller, UserId};

use crate::{context::Context, error::Error, error_code::Code, validation};

/// Maximum size of the input, in bytes. Its claims stay in memory for as long as the ticket.
pub(crate) const MAX_INPUT: usize = 16 << 10;

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "TicketInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    /// Id of the user, if a manager requests a ticket for another user.
    #[cfg_attr(test, ts(optional = nullable, type = "string"))]
    user_id: Option<UserId>,
    /// Claims of that user.
    #[cfg_attr(test, ts(optional = nullable, type = "Record<string, unknown>"))]
    claims: Option<Map<String, Value>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "Ticket"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    /// Text for the query of a stream's URL.
    ticket: String,
    /// Time during which the ticket can be used, in milliseconds.
    expires_in_ms: u64,
}

/// Issues a ticket for the caller itself. Managers can request one for any user, as backends with
/// their own authentication do.
pub(crate) async fn create(context: Context, input: Input) -> Result<Output, Error> {
    let caller = match input.user_id {
        Some(user) => {
            context.require_manage()?;
            validation::user(&context, "userId", &user)?;
            let mut caller = Caller::user(user.clone());
            caller.claims = input.claims.unwrap_or_default();
            // Topic patterns take the user from this claim.
            caller
                .claims
                .entry("sub")
                .or_insert_with(|| user.as_str().into());
            // A ticket does not outlive the credentials of the caller that requested it.
            caller.expires_at = context.caller().expires_at;
            caller
        }
        None if input.claims.is_some() => {
            return Err(Error::field("claims", "require `userId`"));
        }
        None => own(&context)?,
    };
    let ticket = context.credentials()?.ticket_for(&caller)?;
    let expires_in_ms = u64::try_from(ticket.lifetime.as_millis()).unwrap_or(u64::MAX);
    Ok(Output {
        ticket: ticket.text,
        expires_in_ms,
    })
}

fn own(context: &Context) -> Result<Caller, Error> {
    let caller = context.caller();
    match &caller.user {
        Some(_) => Ok(caller.clone()),
        None if caller.claims.is_empty() => Err(Error::new(
            Code::Unauthorized,
            "anonymous callers may not get tickets",
        )),
        None => Err(Error::field(
            "userId",
            "is required if the caller is not a user",
        )),
    }
}
