//! Signed tokens (JWT, RFC 7519), in `Authorization: Bearer` or a cookie.

pub(crate) mod algorithm;
pub(crate) mod base64url;
pub(crate) mod builder;
pub(crate) mod fetch;
pub(crate) mod header;
#[cfg(feature = "jwks-http")]
pub(crate) mod http_fetch;
pub(crate) mod jwks;
pub(crate) mod jwks_error;
pub(crate) mod key;
pub(crate) mod key_error;
pub(crate) mod remote_jwks;
pub(crate) mod remote_jwks_builder;
pub(crate) mod signature;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{
    authenticator::Authenticator,
    claims::{self, Times},
    clock::Clock,
    error::{AuthError, ClaimProblem},
    identity::{Credential, Identity},
    jwt::{algorithm::Algorithm, header::JwtHeader, jwks::Jwks, key::Key, remote_jwks::RemoteJwks},
    request::{RequestView, candidates::Candidates},
    verdict::Verdict,
};

/// Maximum number of tokens in headers, and in cookies, of one request: each token costs the check
/// of a signature.
const MAX_PRESENTED: usize = 8;

/// An authenticator that recognises callers by a signed token.
///
/// Tokens in `Authorization: Bearer` and in the configured cookies are all checked, and those that
/// verify must be of one user ([`Verdict`]). A bearer token without the three parts of a JWT is
/// left to other authenticators; a cookie without them is refused.
///
/// ```
/// use sse_auth::{Algorithm, Authenticator, Jwt, Key, RequestView};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = Key::secret(Algorithm::HS256, "the secret that the issuer shares")?;
/// let jwt = Jwt::builder().key(key).build()?;
///
/// let token = concat!(
///     "eyJhbGciOiJIUzI1NiJ9.",
///     "eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.",
///     "SQhOc7VIK07njOHYQQN1ESf0QB3p-NzibKCGaGHRj4c",
/// );
/// let identity = jwt.authenticate(&RequestView::with_bearer(token)).await?.unwrap();
/// assert_eq!(identity.user.as_deref(), Some("42"));
///
/// assert!(jwt.authenticate(&RequestView::with_bearer("not.a.token")).await.is_err());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Jwt {
    pub(crate) keys: Jwks,
    pub(crate) remotes: Vec<RemoteJwks>,
    pub(crate) issuers: Vec<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) times: Times,
    pub(crate) cookies: Vec<String>,
    pub(crate) max_length: usize,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A token before its verification.
struct Jws<'a> {
    kid: Option<String>,
    algorithm: Algorithm,
    /// The signed part: header and payload, unchanged.
    message: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl Jwt {
    async fn identity(&self, token: &str, credential: Credential) -> Result<Identity, AuthError> {
        if token.len() > self.max_length {
            return Err(AuthError::TooLong {
                limit: self.max_length,
            });
        }
        let jws = Jws::parse(token)?;
        self.verify(&jws).await?;
        let claims = claims::decode(&base64url::decode(jws.payload)?)?;
        let expires_at = self.times.check(&claims, self.clock.unix())?;
        self.check_parties(&claims)?;
        let identity = Identity::new(claims::user(&claims)?, credential).expires_at(expires_at);
        let identity = identity.login(claims::login(&claims).unwrap_or(token));
        Ok(identity.claims(claims))
    }

    /// Verifies a token with the configured keys first, then with each issuer's keys. Returns the
    /// error of the attempt that came closest.
    async fn verify(&self, token: &Jws<'_>) -> Result<(), AuthError> {
        let mut errors = Vec::new();
        if !self.keys.is_empty() {
            match token.verify(&self.keys) {
                Ok(()) => return Ok(()),
                Err(error) => errors.push(error),
            }
        }
        // Published keys are never symmetric, so no issuer is asked.
        let remotes = if token.algorithm.is_symmetric() {
            &[][..]
        } else {
            &self.remotes
        };
        for remote in remotes {
            match remote.find(|keys| token.verify(keys)).await {
                Ok(()) => return Ok(()),
                Err(error) => errors.push(error),
            }
        }
        let refused = || AuthError::Algorithm(token.algorithm.name().to_owned());
        Err(errors
            .into_iter()
            .max_by_key(closeness)
            .unwrap_or_else(refused))
    }

    fn check_parties(&self, claims: &Map<String, Value>) -> Result<(), AuthError> {
        let issuer = claims.get("iss").map(std::slice::from_ref);
        party("iss", issuer, &self.issuers)?;
        let audience = match claims.get("aud") {
            Some(Value::Array(all)) => Some(all.as_slice()),
            other => other.map(std::slice::from_ref),
        };
        party("aud", audience, &self.audiences)
    }
}

impl<'a> Jws<'a> {
    fn parse(token: &'a str) -> Result<Self, AuthError> {
        let three = AuthError::Malformed("a signed token has three parts");
        let Some((message, signature)) = token.rsplit_once('.') else {
            return Err(three);
        };
        let Some((header, payload)) = message.split_once('.') else {
            return Err(three);
        };
        if payload.contains('.') {
            return Err(three);
        }
        let header = JwtHeader::decode(header)?;
        let algorithm = header.algorithm.parse()?;
        check_type(&header)?;
        Ok(Self {
            kid: header.kid,
            algorithm,
            message,
            payload,
            signature: base64url::decode(signature)?,
        })
    }

    fn verify(&self, keys: &Jwks) -> Result<(), AuthError> {
        let signed =
            |key: &&Key| key.verify(self.algorithm, self.message.as_bytes(), &self.signature);
        match keys
            .candidates(self.algorithm, self.kid.as_deref())?
            .iter()
            .any(signed)
        {
            true => Ok(()),
            false => Err(AuthError::Signature),
        }
    }
}

/// Refuses tokens that declare another purpose (a logout token, a proof of possession, an event),
/// because they are not credentials (RFC 8725, section 3.11).
fn check_type(header: &JwtHeader) -> Result<(), AuthError> {
    let Some(kind) = header.text("typ")? else {
        return Ok(());
    };
    let kind = kind.to_ascii_lowercase();
    match kind.strip_prefix("application/").unwrap_or(&kind) {
        "jwt" | "at+jwt" => Ok(()),
        _ => Err(AuthError::HeaderParameter("typ")),
    }
}

/// Checks that one of the given values is accepted. Every value is accepted if none are configured.
fn party(
    claim: &'static str,
    given: Option<&[Value]>,
    accepted: &[String],
) -> Result<(), AuthError> {
    if accepted.is_empty() {
        return Ok(());
    }
    let given = given.ok_or(AuthError::claim(claim, ClaimProblem::Missing))?;
    if given.iter().any(|one| !one.is_string()) {
        return Err(AuthError::claim(claim, ClaimProblem::WrongType));
    }
    match given
        .iter()
        .any(|one| accepted.iter().any(|accepted| one == accepted))
    {
        true => Ok(()),
        false => Err(AuthError::claim(claim, ClaimProblem::NotAccepted)),
    }
}

fn looks_like(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Rates how much an error says about the token.
fn closeness(error: &AuthError) -> u8 {
    match error {
        AuthError::Signature => 4,
        // The right key may be among those that could not be loaded.
        AuthError::Keys(_) => 3,
        AuthError::Algorithm(_) => 2,
        _ => 1,
    }
}

#[async_trait]
impl Authenticator for Jwt {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        let (mut bearers, mut cookies) = (
            Candidates::at_most(MAX_PRESENTED),
            Candidates::at_most(MAX_PRESENTED),
        );
        let mut verdict = Verdict::new();
        for token in request.bearer_tokens() {
            match token {
                Ok(token) if looks_like(token) => bearers.push(token.into())?,
                Ok(_) => {}
                Err(error) => verdict.add(Err(error))?,
            }
        }
        for token in self
            .cookies
            .iter()
            .flat_map(|name| request.cookie_values(name))
        {
            cookies.push(token)?;
        }
        for (tokens, credential) in [(bearers, Credential::Bearer), (cookies, Credential::Cookie)] {
            for token in tokens.iter() {
                verdict.add(self.identity(token, credential).await.map(Some))?;
            }
        }
        verdict.finish()
    }
}
