#![doc = include_str!("../README.md")]

mod api_key;
mod authenticator;
mod claims;
mod clock;
mod database_sessions;
mod error;
mod first_of;
mod identity;
mod jwt;
mod next_auth;
mod origins;
mod own_origin;
mod rejection;
mod request;
mod secret;
mod tickets;
mod verdict;

pub use api_key::ApiKey;
pub use authenticator::Authenticator;
pub use clock::{Clock, ManualClock, SystemClock};
pub use database_sessions::store::{SessionStore, StoredSession};
pub use database_sessions::{DatabaseSessions, DatabaseSessionsBuilder};
pub use error::{AuthError, BoxError, ClaimProblem, SharedError};
pub use first_of::FirstOf;
pub use identity::{Credential, Identity};
pub use jwt::Jwt;
pub use jwt::algorithm::Algorithm;
pub use jwt::builder::JwtBuilder;
pub use jwt::fetch::{FetchJwks, JwksFile};
#[cfg(feature = "jwks-http")]
pub use jwt::http_fetch::{HttpFetch, HttpFetchError};
pub use jwt::jwks::Jwks;
pub use jwt::key::Key;
pub use jwt::key_error::KeyError;
pub use jwt::remote_jwks::{JwksError, RemoteJwks};
pub use jwt::remote_jwks_builder::RemoteJwksBuilder;
pub use next_auth::NextAuth;
pub use next_auth::builder::{NextAuthBuilder, Version};
pub use origins::{CrossSite, OriginError, Origins, OriginsBuilder, Page};
pub use own_origin::OwnOrigin;
pub use rejection::Refusal;
pub use request::RequestView;
pub use request::redact::redacted_query;
pub use tickets::builder::TicketsBuilder;
pub use tickets::{Ticket, TicketError, Tickets};
pub use verdict::Verdict;
