//! Tests of authenticators through the public API.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api_key;
mod database;
mod first_of;
#[cfg(feature = "jwks-http")]
mod http_fetch;
mod jwt;
mod jwt_keys;
mod logins;
mod next_auth;
mod next_auth_cookies;
mod next_auth_vectors;
mod origins;
mod properties;
mod remote_jwks;
mod request;
mod secrecy;
mod support;
mod tickets;
