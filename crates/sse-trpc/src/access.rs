//! Authentication by a gate of `sse-access`.

use async_trait::async_trait;
use sse_access::Authentication;
use sse_auth::{Credential, Identity, TicketError, Tickets};
use sse_core::{Caller, ConnectErrorKind, LoginId};

use crate::{
    credentials::{Credentials, StreamTicket},
    error::Error,
    error_code::Code,
    management::Management,
};

impl Management {
    /// Uses this gate and these tickets for credentials outside the headers: the `token` of
    /// `renew`, and `ticket` or `token` in the `connectionParams` of a subscription. The
    /// `connectionParams` must be of the user whom the headers name, if they name one
    /// ([`Authentication::agree`]). `createTicket` issues tickets.
    ///
    /// The adapter's middleware in front authenticates the request itself.
    #[must_use]
    pub fn gate(self, gate: &Authentication, tickets: &Tickets) -> Self {
        let streams = gate.clone().tickets(tickets);
        let credentials = ByGate {
            gate: gate.clone(),
            tickets: tickets.clone(),
        };
        self.credentials(credentials)
            .identify(move |params, caller| {
                let streams = streams.clone();
                async move {
                    let mut parts = vec![caller];
                    parts.extend(
                        params
                            .get("ticket")
                            .map(|ticket| streams.admit_ticket(ticket)),
                    );
                    if let Some(token) = params.get("token") {
                        parts.push(streams.admit_token(token).await);
                    }
                    streams.agree(parts).map_err(|cause| Error::from(&cause))
                }
            })
    }
}

struct ByGate {
    gate: Authentication,
    tickets: Tickets,
}

#[async_trait]
impl Credentials for ByGate {
    async fn caller_of(&self, token: &str) -> Result<Caller, ConnectErrorKind> {
        self.gate.admit_token(token).await
    }

    fn ticket_for(&self, caller: &Caller) -> Result<StreamTicket, Error> {
        // A caller that came with a ticket does not reach this code: calls accept no tickets, and
        // `identify` is for streams alone.
        let mut identity = Identity::without_user(Credential::Other).claims(caller.claims.clone());
        identity.user = caller.user.as_ref().map(|user| user.as_str().to_owned());
        identity.login = caller.login.map(LoginId::to_bytes);
        identity.expires_at = caller.expires_at.map(|milliseconds| milliseconds / 1000);
        match self.tickets.issue(&identity) {
            Ok(ticket) => Ok(StreamTicket {
                text: ticket.as_str().to_owned(),
                lifetime: ticket.lifetime(),
            }),
            Err(error @ TicketError::Full { .. }) => {
                Err(Error::new(Code::TooManyRequests, error.to_string()))
            }
            Err(error @ TicketError::Expired) => {
                Err(Error::new(Code::Unauthorized, error.to_string()))
            }
            Err(error) => Err(Error::new(Code::Forbidden, error.to_string())),
        }
    }
}
