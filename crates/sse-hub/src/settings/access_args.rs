//! Settings of access control: flags, variables, and the table `[access]` of the file.

use std::path::PathBuf;

use clap::{Args, builder::BoolishValueParser};
use serde::Deserialize;
use sse_access::ProxyHeader;

use crate::{app::rate_limit::Rate, settings::values::choice};

/// Settings of access control. Secrets are not among them, since other users can see command
/// lines.
#[derive(Debug, Default, Clone, PartialEq, Eq, Args, Deserialize)]
#[command(next_help_heading = "Access")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AccessArgs {
    /// Authentication method of users: nextauth, jwt, or none (default); none is demo mode, or with
    /// a backend key tickets alone
    #[arg(long, value_name = "KIND", value_parser = choice::<AuthKind>, env = "SSE_HUB_AUTH")]
    pub(crate) auth: Option<AuthKind>,
    /// Files with secrets of `--auth`, in addition to AUTH_SECRET, AUTH_SECRET_1 to _3,
    /// NEXTAUTH_SECRET and JWT_SECRET
    #[arg(
        long,
        value_name = "FILE,…",
        value_delimiter = ',',
        env = "SSE_HUB_AUTH_SECRET_FILE"
    )]
    pub(crate) auth_secret_file: Vec<PathBuf>,
    /// Names of the session cookie, instead of the defaults of NextAuth and Auth.js; with jwt:
    /// cookies that can hold the token
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        env = "SSE_HUB_AUTH_COOKIE"
    )]
    pub(crate) auth_cookie: Vec<String>,
    /// Public keys in PEM, for jwt
    #[arg(
        long,
        value_name = "FILE,…",
        value_delimiter = ',',
        env = "SSE_HUB_AUTH_PUBLIC_KEY"
    )]
    pub(crate) auth_public_key: Vec<PathBuf>,
    /// JWKS for jwt: an https URL or a file; read again when it changes
    #[arg(long, value_name = "URL or FILE", env = "SSE_HUB_AUTH_JWKS")]
    pub(crate) auth_jwks: Option<String>,
    /// Accepted issuers of tokens, for jwt [default: any]
    #[arg(
        long,
        value_name = "ISS,…",
        value_delimiter = ',',
        env = "SSE_HUB_AUTH_ISSUER"
    )]
    pub(crate) auth_issuer: Vec<String>,
    /// Accepted audiences of tokens, for jwt; required with a JWKS from a URL [default: any]
    #[arg(
        long,
        value_name = "AUD,…",
        value_delimiter = ',',
        env = "SSE_HUB_AUTH_AUDIENCE"
    )]
    pub(crate) auth_audience: Vec<String>,
    /// Claims that make a user an admin, who may do everything: role=admin
    #[arg(
        long,
        value_name = "CLAIM=VALUE,…",
        value_delimiter = ',',
        env = "SSE_HUB_AUTH_ADMIN"
    )]
    pub(crate) auth_admin: Vec<String>,
    /// Allow callers without credentials to listen to topics of --join-anonymously and to events
    /// for everybody [default: no]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new(), env = "SSE_HUB_AUTH_ANONYMOUS")]
    pub(crate) auth_anonymous: Option<bool>,
    /// File with the key of backends, instead of the variable SSE_HUB_BACKEND_KEY
    #[arg(long, value_name = "FILE", env = "SSE_HUB_BACKEND_KEY_FILE")]
    pub(crate) backend_key_file: Option<PathBuf>,
    /// Origins of other sites whose pages may connect and call, with cookies:
    /// https://app.example.com
    #[arg(
        long,
        value_name = "ORIGIN,…",
        value_delimiter = ',',
        env = "SSE_HUB_ORIGINS"
    )]
    pub(crate) origins: Vec<String>,
    /// Host names and addresses under which the hub responds, in addition to those of this machine
    /// [default: any; in demo mode without --demo none]
    #[arg(
        long,
        value_name = "HOST,…",
        value_delimiter = ',',
        env = "SSE_HUB_HOSTS"
    )]
    pub(crate) hosts: Vec<String>,
    /// Proxies that are trusted to report the address of a client and the origin that it requested:
    /// 10.0.0.0/8
    #[arg(
        long,
        value_name = "NETWORK,…",
        value_delimiter = ',',
        env = "SSE_HUB_TRUSTED_PROXIES"
    )]
    pub(crate) trusted_proxies: Vec<String>,
    /// Header in which trusted proxies report the client: x-forwarded-for (default), forwarded
    #[arg(long, value_name = "NAME", value_parser = choice::<HeaderOfProxies>, env = "SSE_HUB_PROXY_HEADER")]
    pub(crate) proxy_header: Option<HeaderOfProxies>,
    /// Topics that users may listen to: news, orders/{sub}/*
    #[arg(
        long,
        value_name = "PATTERN,…",
        value_delimiter = ',',
        env = "SSE_HUB_JOIN"
    )]
    pub(crate) join: Vec<String>,
    /// Topics that everybody may listen to
    #[arg(
        long,
        value_name = "PATTERN,…",
        value_delimiter = ',',
        env = "SSE_HUB_JOIN_ANONYMOUSLY"
    )]
    pub(crate) join_anonymously: Vec<String>,
    /// Topics that users may publish to: chat/{teams}
    #[arg(
        long,
        value_name = "PATTERN,…",
        value_delimiter = ',',
        env = "SSE_HUB_PUBLISH"
    )]
    pub(crate) publish: Vec<String>,
    /// Maximum rate of new streams from one address: 20/1s, or none [default: no limit]
    #[arg(long, value_name = "RATE", env = "SSE_HUB_RATE_STREAMS_PER_ADDRESS")]
    pub(crate) rate_streams_per_address: Option<Rate>,
    /// Maximum rate of new streams of one user [default: 200/1m]
    #[arg(long, value_name = "RATE", env = "SSE_HUB_RATE_STREAMS_PER_USER")]
    pub(crate) rate_streams_per_user: Option<Rate>,
    /// Maximum rate of calls of the management API by one user, or from one address without a user;
    /// backends and admins have no limit [default: 1200/1m for a user, 6000/1m for an address]
    #[arg(long, value_name = "RATE", env = "SSE_HUB_RATE_CALLS")]
    pub(crate) rate_calls: Option<Rate>,
    /// Maximum rate of bytes in calls by one user, including published data; backends and admins
    /// have no limit [default: 4194304/1m]
    #[arg(long, value_name = "RATE", env = "SSE_HUB_RATE_BYTES_PER_USER")]
    pub(crate) rate_bytes_per_user: Option<Rate>,
}

/// Authentication method of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuthKind {
    /// Users name themselves in demo mode. With a backend key, only tickets identify users.
    #[default]
    None,
    /// The session of a site with NextAuth v4 or Auth.js v5.
    NextAuth,
    /// A signed token.
    Jwt,
}

/// The header in which proxies report the address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HeaderOfProxies {
    #[default]
    XForwardedFor,
    Forwarded,
}

impl From<HeaderOfProxies> for ProxyHeader {
    fn from(header: HeaderOfProxies) -> Self {
        match header {
            HeaderOfProxies::XForwardedFor => Self::XForwardedFor,
            HeaderOfProxies::Forwarded => Self::Forwarded,
        }
    }
}

impl AccessArgs {
    /// Merges the settings of the command line and of variables with those of the file, which have
    /// lower precedence.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            auth: self.auth.or(file.auth),
            auth_secret_file: list(self.auth_secret_file, file.auth_secret_file),
            auth_cookie: list(self.auth_cookie, file.auth_cookie),
            auth_public_key: list(self.auth_public_key, file.auth_public_key),
            auth_jwks: self.auth_jwks.or(file.auth_jwks),
            auth_issuer: list(self.auth_issuer, file.auth_issuer),
            auth_audience: list(self.auth_audience, file.auth_audience),
            auth_admin: list(self.auth_admin, file.auth_admin),
            auth_anonymous: self.auth_anonymous.or(file.auth_anonymous),
            backend_key_file: self.backend_key_file.or(file.backend_key_file),
            origins: list(self.origins, file.origins),
            hosts: list(self.hosts, file.hosts),
            trusted_proxies: list(self.trusted_proxies, file.trusted_proxies),
            proxy_header: self.proxy_header.or(file.proxy_header),
            join: list(self.join, file.join),
            join_anonymously: list(self.join_anonymously, file.join_anonymously),
            publish: list(self.publish, file.publish),
            rate_streams_per_address: self
                .rate_streams_per_address
                .or(file.rate_streams_per_address),
            rate_streams_per_user: self.rate_streams_per_user.or(file.rate_streams_per_user),
            rate_calls: self.rate_calls.or(file.rate_calls),
            rate_bytes_per_user: self.rate_bytes_per_user.or(file.rate_bytes_per_user),
        }
    }
}

fn list<T>(given: Vec<T>, file: Vec<T>) -> Vec<T> {
    if given.is_empty() { file } else { given }
}
