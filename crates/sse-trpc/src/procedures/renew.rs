//! `renew`.

use serde::Deserialize;
use sse_core::{ClientId, RenewError};

use super::Done;
use crate::{context::Context, error::Error, error_code::Code};

/// Maximum size of the input, in bytes. The token is inside the input, so the input of a caller
/// without rights is read as well.
pub(crate) const MAX_INPUT: usize = 16 << 10;

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "RenewInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    #[cfg_attr(test, ts(type = "string"))]
    client_id: ClientId,
    /// The new token. Without it, the credentials of the call itself count, such as a cookie.
    #[cfg_attr(test, ts(optional = nullable))]
    token: Option<String>,
}

/// Extends the life of a stream to that of the new token. The old token may have expired, so the
/// call itself can be one whose own credentials are refused.
pub(crate) async fn renew(context: Context, input: Input) -> Result<Done, Error> {
    let caller = match &input.token {
        Some(token) => context
            .credentials()?
            .caller_of(token)
            .await
            .map_err(|cause| Error::from(&cause))?,
        None => context.admitted()?.clone(),
    };
    let renewed = context.cluster().renew(input.client_id, &caller).await;
    match renewed.value {
        Some(Ok(())) => Ok(Done::matched(1)),
        None => Ok(Done::matched(0).unless(renewed.complete, renewed.unanswered)),
        Some(Err(error @ RenewError::Expired)) => {
            Err(Error::new(Code::Unauthorized, error.to_string()))
        }
        Some(Err(error)) => Err(Error::new(Code::Forbidden, error.to_string())),
    }
}
