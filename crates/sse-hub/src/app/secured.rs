//! Configured mode: authentication, and who can connect and call.

use std::{env, path::Path, sync::Arc};

use sse_access::{Authentication, ClaimsAccess, PatternError, TrustedProxies};
use sse_auth::{
    Algorithm, ApiKey, Authenticator, FirstOf, Jwks, JwksFile, Jwt, JwtBuilder, Key, NextAuth,
    Origins, RemoteJwks, Tickets,
};

use crate::{
    app::{auth_log, rate_limit::Rate, rate_limits::Rates},
    error::Error,
    server::reload::Exchangeable,
    settings::{
        access_args::{AccessArgs, AuthKind},
        key_file::{self, Holds},
        secrets::{BACKEND_KEY, SecretSetting},
        source::Sources,
    },
};

/// Claim that a backend's key grants. The claim is checked only for callers without a user, so no
/// token can claim it.
const BACKEND_CLAIM: &str = "sse-hub/backend";

/// Access control of configured mode, where visitors cannot name themselves.
#[derive(Debug)]
pub(crate) struct Secured {
    /// Authentication of streams, which also accepts tickets.
    pub(crate) streams: Authentication,
    /// Authentication of calls of the management API.
    pub(crate) calls: Authentication,
    pub(crate) tickets: Tickets,
    pub(crate) access: ClaimsAccess,
    pub(crate) origins: Origins,
    pub(crate) proxies: TrustedProxies,
    pub(crate) rates: Arc<Rates>,
    /// Authenticator that `streams` and `calls` share.
    pub(crate) authenticator: Exchangeable,
    /// Recreates the authenticator from the current content of the files. `None` if no secret and
    /// no key is in a file.
    pub(crate) reread: Option<Reread>,
    /// Scheme that the hub itself speaks.
    pub(crate) scheme: &'static str,
    /// `true` if streams need a ticket: nothing else recognises users, and anonymous callers may
    /// not connect.
    pub(crate) needs_tickets: bool,
}

/// Reads the files of secrets and keys again.
#[derive(Debug)]
pub(crate) struct Reread {
    args: AccessArgs,
    sources: Sources,
    /// Keys from a URL, which are updated automatically. A new set of keys would be empty until the
    /// issuer responds.
    published: Option<RemoteJwks>,
}

impl Reread {
    pub(crate) fn authenticator(&self) -> Result<FirstOf, Error> {
        let authenticator = self
            .args
            .authenticator(self.published.as_ref(), &self.sources);
        self.sources.log_notes();
        authenticator
    }
}

impl AccessArgs {
    /// Creates configured mode, or returns `None` for demo mode: settings that recognise neither
    /// users nor backends.
    ///
    /// `largest` is the maximum size of a call in bytes.
    pub(crate) fn configure(
        &self,
        largest: usize,
        sources: &Sources,
    ) -> Result<Option<Secured>, Error> {
        let kind = self.auth.unwrap_or_default();
        let backend_key = self.backend_key(sources)?;
        if kind == AuthKind::None && backend_key.is_none() {
            self.refuse_in_demo_mode(sources)?;
            self.refuse_idle_secrets()?;
            return Ok(None);
        }
        let anonymous = self.auth_anonymous.unwrap_or(false);
        let published = self.published(sources)?;
        let authenticator = Exchangeable::new(self.authenticator(published.as_ref(), sources)?);
        let reread = self.has_files().then(|| {
            let (args, sources) = (self.clone(), sources.clone());
            Reread {
                args,
                sources,
                published,
            }
        });
        let origins = self.allowed_origins(sources)?;
        let authentication = authentication(authenticator.clone(), &origins, anonymous);
        let tickets = Tickets::new();
        let access = self.access(sources)?;
        self.check_rate_of_bytes(largest, sources)?;
        let streams = authentication.clone().tickets(&tickets);
        Ok(Some(Secured {
            streams: streams.observe(move |denial| auth_log::denied(denial, kind)),
            calls: authentication.observe(move |denial| auth_log::call_denied(denial, kind)),
            tickets,
            rates: Arc::new(Rates::new(self, access.clone(), largest)),
            access,
            origins,
            proxies: self.proxies(sources)?,
            authenticator,
            reread,
            scheme: "http",
            needs_tickets: kind == AuthKind::None && !anonymous,
        }))
    }

    /// Creates the authenticator from the current secrets and keys.
    fn authenticator(
        &self,
        published: Option<&RemoteJwks>,
        sources: &Sources,
    ) -> Result<FirstOf, Error> {
        let mut authenticator = FirstOf::new();
        if let Some(key) = &self.backend_key(sources)? {
            let key = ApiKey::new(key.text()).map_err(|error| invalid(&key.source, &error))?;
            authenticator = authenticator.or(key.claim(BACKEND_CLAIM, true));
        }
        match self.auth.unwrap_or_default() {
            AuthKind::None => self.no_keys(authenticator, sources),
            AuthKind::NextAuth => Ok(authenticator.or(self.next_auth(sources)?)),
            AuthKind::Jwt => Ok(authenticator.or(self.jwt(published, sources)?)),
        }
    }

    /// Returns whether any secret or key is in a file.
    fn has_files(&self) -> bool {
        let jwks = self.auth_jwks.as_deref().is_some_and(|jwks| !is_url(jwks));
        let files = [&self.auth_secret_file, &self.auth_public_key]
            .iter()
            .any(|files| !files.is_empty());
        jwks || files || self.backend_key_file.is_some()
    }

    /// Rejects a rate that is too small for a single call of the maximum size.
    fn check_rate_of_bytes(&self, largest: usize, sources: &Sources) -> Result<(), Error> {
        let at_once = self.rate_bytes_per_user.and_then(Rate::at_once);
        match at_once
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| *bytes < largest)
        {
            Some(bytes) => {
                let problem = format!(
                    "allows {bytes} bytes at once, but a call can have {largest} (--management-body)"
                );
                Err(wrong(
                    &sources.name_of_access("rate-bytes-per-user"),
                    &problem,
                ))
            }
            None => Ok(()),
        }
    }

    /// Returns the sites whose pages may connect and call, in both modes.
    pub(crate) fn allowed_origins(&self, sources: &Sources) -> Result<Origins, Error> {
        Origins::new(&self.origins)
            .map_err(|error| invalid(&sources.name_of_access("origins"), &error))
    }

    fn backend_key(&self, sources: &Sources) -> Result<Option<SecretSetting>, Error> {
        match (
            &self.backend_key_file,
            SecretSetting::variable(BACKEND_KEY)?,
        ) {
            (Some(_), Some(_)) => Err(Error::Setting {
                name: BACKEND_KEY.to_owned(),
                problem: "and --backend-key-file are both given; remove one of them".to_owned(),
            }),
            (Some(path), None) => SecretSetting::file(path, sources).map(Some),
            (None, variable) => Ok(variable),
        }
    }

    fn next_auth(&self, sources: &Sources) -> Result<NextAuth, Error> {
        self.refuse_all(
            &[
                ("auth-public-key", !self.auth_public_key.is_empty()),
                ("auth-jwks", self.auth_jwks.is_some()),
                ("auth-issuer", !self.auth_issuer.is_empty()),
                ("auth-audience", !self.auth_audience.is_empty()),
            ],
            "needs --auth jwt",
            sources,
        )?;
        let mut builder = NextAuth::builder();
        for secret in self.secrets(AuthKind::NextAuth, sources)? {
            if secret.text().len() < MIN_SECRET {
                return Err(wrong(&secret.source, &too_short(secret.text().len())));
            }
            builder = builder.secret(secret.text());
        }
        for name in &self.auth_cookie {
            builder = builder.cookie_name(name);
        }
        builder.build().map_err(|error| {
            invalid(
                "--auth nextauth",
                &format!(
                    "{error}; its secrets come from {}",
                    places(AuthKind::NextAuth)
                ),
            )
        })
    }

    fn jwt(&self, published: Option<&RemoteJwks>, sources: &Sources) -> Result<Jwt, Error> {
        let mut builder = Jwt::builder();
        for secret in self.secrets(AuthKind::Jwt, sources)? {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let key = Key::secret(algorithm, secret.text())
                    .map_err(|error| invalid(&secret.source, &error))?;
                builder = builder.key(key);
            }
        }
        for path in &self.auth_public_key {
            let pem = key_file::read(path, Holds::PublicKey, sources)?;
            builder = builder.key(
                Key::pem(&*pem).map_err(|error| invalid(&path.display().to_string(), &error))?,
            );
        }
        builder = match (published, &self.auth_jwks) {
            (Some(published), _) => builder.remote(published.clone()),
            (None, Some(file)) => {
                // The file is also read now, so that a wrong file stops the start.
                let name = sources.name_of_access("auth-jwks");
                key_file::read(Path::new(file), Holds::PublicKey, sources)
                    .map_err(|error| invalid(&name, &error))?;
                Jwks::from_file(file)
                    .map_err(|error| invalid(&name, &format!("{file}: {error}")))?;
                builder.remote(RemoteJwks::new(JwksFile::new(file)))
            }
            (None, None) => builder,
        };
        builder = self.auth_issuer.iter().fold(builder, JwtBuilder::issuer);
        builder = self
            .auth_audience
            .iter()
            .fold(builder, JwtBuilder::audience);
        builder = self.auth_cookie.iter().fold(builder, JwtBuilder::cookie);
        let keys = format!(
            "its keys come from {}, --auth-public-key, --auth-jwks",
            places(AuthKind::Jwt)
        );
        builder
            .build()
            .map_err(|error| invalid("--auth jwt", &format!("{error}; {keys}")))
    }

    /// Returns the keys of the JWKS if it is a URL.
    fn published(&self, sources: &Sources) -> Result<Option<RemoteJwks>, Error> {
        let name = sources.name_of_access("auth-jwks");
        let of_jwt = (self.auth == Some(AuthKind::Jwt)).then_some(self.auth_jwks.as_deref());
        let Some(jwks) = of_jwt.flatten().filter(|jwks| is_url(jwks)) else {
            return Ok(None);
        };
        if self.auth_audience.is_empty() {
            let problem = "is a URL, so --auth-audience must be set: an issuer's keys also sign tokens for other sites";
            return Err(Error::Setting {
                name,
                problem: problem.to_owned(),
            });
        }
        RemoteJwks::http(jwks)
            .map(Some)
            .map_err(|error| invalid(&name, &error))
    }

    fn secrets(&self, kind: AuthKind, sources: &Sources) -> Result<Vec<SecretSetting>, Error> {
        kind.secrets(self.auth_secret_file.iter().map(AsRef::as_ref), sources)
    }

    /// Rejects settings that have no effect without `--auth`. An operator who sets them expects
    /// that the hub recognises users.
    fn no_keys<T>(&self, passed: T, sources: &Sources) -> Result<T, Error> {
        let given = [
            ("auth-secret-file", !self.auth_secret_file.is_empty()),
            ("auth-cookie", !self.auth_cookie.is_empty()),
            ("auth-public-key", !self.auth_public_key.is_empty()),
            ("auth-jwks", self.auth_jwks.is_some()),
            ("auth-issuer", !self.auth_issuer.is_empty()),
            ("auth-audience", !self.auth_audience.is_empty()),
        ];
        self.refuse_all(&given, "needs --auth", sources)?;
        Ok(passed)
    }

    /// Rejects settings that have no effect in demo mode. An operator who sets them expects that
    /// the hub is closed.
    fn refuse_in_demo_mode(&self, sources: &Sources) -> Result<(), Error> {
        self.no_keys((), sources)?;
        let given = [
            ("auth-anonymous", self.auth_anonymous == Some(true)),
            ("auth-admin", !self.auth_admin.is_empty()),
            ("join", !self.join.is_empty()),
            ("publish", !self.publish.is_empty()),
            ("trusted-proxies", !self.trusted_proxies.is_empty()),
            ("join-anonymously", !self.join_anonymously.is_empty()),
            (
                "rate-streams-per-address",
                self.rate_streams_per_address.is_some(),
            ),
            (
                "rate-streams-per-user",
                self.rate_streams_per_user.is_some(),
            ),
            ("rate-calls", self.rate_calls.is_some()),
            ("rate-bytes-per-user", self.rate_bytes_per_user.is_some()),
        ];
        self.refuse_all(
            &given,
            "needs --auth or a backend key: in demo mode everybody may do everything",
            sources,
        )
    }

    /// Rejects an unused secret in the environment, since the operator can expect that the hub uses
    /// it. `--auth none` says that the secret is not for the hub.
    fn refuse_idle_secrets(&self) -> Result<(), Error> {
        let kinds = [(AuthKind::NextAuth, "nextauth"), (AuthKind::Jwt, "jwt")];
        let named = kinds
            .into_iter()
            .flat_map(|(kind, name)| kind.variables().iter().map(move |it| (*it, name)));
        let idle = named
            .into_iter()
            .find(|(variable, _)| env::var_os(variable).is_some());
        match idle.filter(|_| self.auth.is_none()) {
            Some((variable, kind)) => Err(wrong(
                variable,
                &format!("is set but not used; set --auth {kind} or --auth none"),
            )),
            None => Ok(()),
        }
    }

    fn refuse_all(
        &self,
        given: &[(&str, bool)],
        problem: &str,
        sources: &Sources,
    ) -> Result<(), Error> {
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Error::Setting {
                name: sources.name_of_access(flag),
                problem: problem.to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn access(&self, sources: &Sources) -> Result<ClaimsAccess, Error> {
        let start = ClaimsAccess::new().backend(BACKEND_CLAIM, true);
        let patterns = |flag: &'static str| {
            move |error: PatternError| invalid(&sources.name_of_access(flag), &error)
        };
        let access = self
            .join
            .iter()
            .try_fold(start, |access, pattern| access.join(pattern))
            .map_err(patterns("join"))?;
        let access = self
            .join_anonymously
            .iter()
            .try_fold(access, |access, pattern| access.join_anonymously(pattern));
        let access = access.map_err(patterns("join-anonymously"))?;
        let access = self
            .publish
            .iter()
            .try_fold(access, |access, pattern| access.publish(pattern));
        let access = access.map_err(patterns("publish"))?;
        self.auth_admin
            .iter()
            .try_fold(access, |access, claim| match claim.split_once('=') {
                Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(match value {
                    "true" => access.admin(name, true).admin(name, value),
                    _ => access.admin(name, value),
                }),
                _ => Err(wrong(
                    &sources.name_of_access("auth-admin"),
                    "must be a claim and its value, as in role=admin",
                )),
            })
    }

    fn proxies(&self, sources: &Sources) -> Result<TrustedProxies, Error> {
        let name = || sources.name_of_access("trusted-proxies");
        if self
            .trusted_proxies
            .iter()
            .any(|network| network.trim().ends_with("/0"))
        {
            return Err(wrong(&name(), "would trust every client"));
        }
        let proxies =
            TrustedProxies::new(&self.trusted_proxies).map_err(|error| invalid(&name(), &error))?;
        Ok(proxies.header(self.proxy_header.unwrap_or_default().into()))
    }
}

/// Returns whether a JWKS is a URL instead of a file.
fn is_url(jwks: &str) -> bool {
    jwks.contains("://")
}

fn authentication(
    authenticator: impl Authenticator,
    origins: &Origins,
    anonymous: bool,
) -> Authentication {
    let authentication = Authentication::new(authenticator).origins(origins.clone());
    if anonymous {
        authentication.allow_anonymous()
    } else {
        authentication
    }
}

/// Minimum length of a secret. Auth.js has no minimum, and a short secret can be guessed from a
/// single session cookie. `sse-auth` rejects short secrets too, but without the name of the
/// setting.
const MIN_SECRET: usize = 16;

fn too_short(length: usize) -> String {
    format!(
        "has {length} bytes, and at least {MIN_SECRET} are needed, since an attacker who guesses it can be any user; create one with `openssl rand -hex 32`, for the site too"
    )
}

/// Returns the variables and flags that can hold secrets.
fn places(kind: AuthKind) -> String {
    format!("{}, --auth-secret-file", kind.variables().join(", "))
}

/// Creates the error for a setting that a library rejects.
fn invalid(name: &str, error: &impl std::fmt::Display) -> Error {
    wrong(name, &format!("is invalid: {error}"))
}

fn wrong(name: &str, problem: &(impl std::fmt::Display + ?Sized)) -> Error {
    Error::Setting {
        name: name.to_owned(),
        problem: problem.to_string(),
    }
}
