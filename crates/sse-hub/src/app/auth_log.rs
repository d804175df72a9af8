//! The log of rejected credentials, origins and rights: what was wrong, and what the operator can
//! do.

use std::{fmt::Display, net::IpAddr};

use sse_access::Denial;
use sse_auth::AuthError;
use sse_core::{
    ConnectErrorKind,
    throttle::{INTERVAL, Throttle},
};
use tracing::{Span, debug, info, info_span, warn};

use crate::{server::logs::AUTH, settings::access_args::AuthKind};

/// Limits each kind of message to one in ten seconds, since strangers can cause these messages.
/// `debug` logs all of them.
static THROTTLE: Throttle = Throttle::new(INTERVAL);

/// Creates a span that adds the address of the client to messages.
pub(crate) fn client(address: IpAddr) -> Span {
    info_span!(target: AUTH, "client", %address)
}

/// Logs why a caller is rejected, and what the operator can do.
pub(crate) fn denied(denial: &Denial, kind: AuthKind) {
    let remedy = remedy(denial, kind);
    match THROTTLE.admit(denial.code()) {
        Some(left_out) if denial.cause() == ConnectErrorKind::Unavailable => {
            warn!(target: AUTH, cause = denial as &dyn std::error::Error, remedy, left_out, "rejected a request");
        }
        Some(left_out) => {
            info!(target: AUTH, cause = %denial, remedy, left_out, "rejected a request");
        }
        None => debug!(target: AUTH, cause = %denial, remedy, "rejected a request"),
    }
}

/// Logs why a caller of the management API is rejected. A caller without credentials is logged only
/// at `debug`, since the call itself can still contain credentials.
pub(crate) fn call_denied(denial: &Denial, kind: AuthKind) {
    match denial {
        Denial::Missing => {
            debug!(target: AUTH, cause = %denial, remedy = remedy(denial, kind), "rejected a request");
        }
        _ => denied(denial, kind),
    }
}

/// Logs that a stream is rejected for lack of a right.
pub(crate) fn stream_refused(cause: &ConnectErrorKind) {
    if let ConnectErrorKind::Forbidden(_) = cause {
        refused(
            "forbidden_topic",
            cause,
            "allow topics with --join or --join-anonymously",
        );
    }
}

/// Logs that a call or a scrape is rejected for lack of a right.
pub(crate) fn call_refused(what: &str) {
    let cause = format_args!("{what} is not allowed for this caller");
    refused(
        "forbidden_call",
        &cause,
        "allow topics with --publish; everything else needs --auth-admin or the backend key",
    );
}

/// Logs a rejection with its cause and a remedy, unless the log of this kind is throttled.
pub(crate) fn refused(kind: &'static str, cause: &dyn Display, remedy: &str) {
    match THROTTLE.admit(kind) {
        Some(left_out) => info!(target: AUTH, %cause, remedy, left_out, "rejected a request"),
        None => debug!(target: AUTH, %cause, remedy, "rejected a request"),
    }
}

/// Returns the remedy for the operator.
fn remedy(denial: &Denial, kind: AuthKind) -> &'static str {
    match denial {
        Denial::Missing => match kind {
            AuthKind::None => {
                "without --auth a stream needs a ticket: let a backend call sse.createTicket"
            }
            AuthKind::NextAuth => {
                "the browser sent no session cookie: serve the hub under the site's own host, or use tickets (sse.createTicket)"
            }
            AuthKind::Jwt => {
                "send a token in `Authorization: Bearer`, or use tickets (sse.createTicket)"
            }
        },
        Denial::Credentials(error) => credentials_remedy(error, kind),
        Denial::Page(_) => {
            "to allow its pages, list the origin in --origins; if one proxy serves the pages and the hub, list the proxy in --trusted-proxies"
        }
        _ => "a user id must have 1 to --limits-user bytes and no control characters",
    }
}

fn credentials_remedy(error: &AuthError, kind: AuthKind) -> &'static str {
    match error {
        AuthError::OpaqueSession => {
            "the site keeps its sessions in a database, which the hub cannot read: let its backend call sse.createTicket"
        }
        AuthError::Ambiguous => {
            "the credentials of a request must be of one user: search for a session cookie of another sign-in, path or domain"
        }
        AuthError::UnknownKey
        | AuthError::Integrity
        | AuthError::Signature
        | AuthError::Algorithm(_) => match kind {
            AuthKind::Jwt => {
                "compare JWT_SECRET, --auth-public-key or --auth-jwks with the issuer's keys"
            }
            _ => "compare AUTH_SECRET (or NEXTAUTH_SECRET) and --auth-cookie with the site's own",
        },
        AuthError::Expired { .. } | AuthError::NotYetValid { .. } => {
            "the client needs a new token, session or ticket; if the client has a new one, compare the clocks"
        }
        AuthError::Claim {
            claim: "iss" | "aud",
            ..
        } => "compare --auth-issuer and --auth-audience with the token",
        AuthError::Claim { .. } | AuthError::NoUser => {
            "the issuer must set the claim, and a user (sub, id or email)"
        }
        AuthError::UnknownTicket => {
            "a ticket opens one stream, within 30 s, on the hub that issued it: the client needs a new ticket"
        }
        AuthError::Unrecognized => match kind {
            AuthKind::None => {
                "the credential is neither the backend key nor a ticket, and --auth is not set"
            }
            _ => {
                "the credential is neither the backend key nor valid for --auth: compare SSE_HUB_BACKEND_KEY with the backend's"
            }
        },
        AuthError::Keys(_) | AuthError::Store(_) | AuthError::Unavailable(_) => {
            "ensure that the hub can reach --auth-jwks"
        }
        AuthError::MissingChunk { .. } => {
            "a proxy or the browser dropped one of the session's cookies: raise the limit for headers"
        }
        _ => "the client sent a credential that the site's library does not create",
    }
}
