//! Sessions of NextAuth v4 and Auth.js v5 in an encrypted cookie (strategy `jwt`, their default).

pub(crate) mod builder;
pub(crate) mod jwe;
pub(crate) mod key_derivation;

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;

use crate::{
    authenticator::Authenticator,
    claims::{self, Times},
    clock::Clock,
    error::AuthError,
    identity::{Credential, Identity},
    next_auth::{jwe::Jwe, key_derivation::SessionKey},
    request::{RequestView, candidates::Candidates, chunks},
    verdict::Verdict,
};

/// Maximum length of a session, in bytes: 16 cookies of about 4 KB each.
const MAX_SESSION: usize = 64 * 1024;

/// Maximum number of session cookies, and of combinations of chunks, that are tried for one
/// request.
const MAX_PRESENTED: usize = 32;

/// Maximum number of bearer tokens that are tried for one request.
const MAX_BEARERS: usize = 8;

/// Maximum length of an opaque id, in bytes. A session's id in a database is a UUID, or 32 to 64
/// random characters.
const MAX_OPAQUE: usize = 512;

/// An authenticator for users whom a site signs in with NextAuth v4 or Auth.js v5. It recognises
/// them by the site's own secret and session cookie.
///
/// Session cookies of all names
/// ([`NextAuthBuilder::cookie_name`](crate::NextAuthBuilder::cookie_name)), whole and in chunks,
/// and tokens in `Authorization: Bearer` are all checked. Those that verify must be of one user
/// ([`Verdict`]). The libraries themselves choose by position. v4 takes the first cookie of a name
/// in the Pages Router and the last cookie in the App Router. v5 takes the first. Both use the
/// header only if the request has no cookie.
///
/// A session cookie that is not an encrypted token is refused; see
/// [`NextAuthBuilder::pass_opaque_ids`](crate::NextAuthBuilder::pass_opaque_ids).
///
/// ```
/// use sse_auth::{Authenticator, NextAuth, RequestView};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = NextAuth::builder().secret("the AUTH_SECRET of the site").build()?;
///
/// let anonymous = RequestView::new("GET").header("cookie", "theme=dark");
/// assert!(sessions.authenticate(&anonymous).await?.is_none());
/// let forged = RequestView::new("GET").header("cookie", "authjs.session-token=forged");
/// assert!(sessions.authenticate(&forged).await.is_err());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct NextAuth {
    pub(crate) cookies: Vec<SessionCookie>,
    pub(crate) times: Times,
    pub(crate) opaque_ids: OpaqueIds,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A cookie that can hold a session, and the keys with which the session can be encrypted.
#[derive(Debug)]
pub(crate) struct SessionCookie {
    pub(crate) name: String,
    pub(crate) keys: Vec<SessionKey>,
}

/// The treatment of a session cookie that is not an encrypted token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpaqueIds {
    Refused,
    Passed,
}

impl NextAuth {
    /// Judges all session cookies: of every name, whole and in chunks, in any order.
    fn judge_cookies(
        &self,
        request: &RequestView<'_>,
        verdict: &mut Verdict,
    ) -> Result<(), AuthError> {
        let mut budget = MAX_PRESENTED;
        for cookie in &self.cookies {
            let mut sessions = Candidates::at_most(budget);
            for session in request.cookie_values(&cookie.name) {
                sessions.push(session)?;
            }
            let chunks =
                chunks::put_together(request.cookies().chunks(&cookie.name), &mut sessions);
            if let Err(error) = chunks {
                verdict.add(Err(error))?;
            }
            budget -= sessions.iter().count();
            for session in sessions.iter() {
                let content = self.decrypt_cookie(session, &cookie.keys).transpose();
                let answer = content.map(|content| self.identity(&content?, Credential::Cookie));
                verdict.add(answer.transpose())?;
            }
        }
        Ok(())
    }

    fn decrypt_cookie(
        &self,
        session: &str,
        keys: &[SessionKey],
    ) -> Result<Option<Vec<u8>>, AuthError> {
        match self.opaque_ids {
            OpaqueIds::Passed if !jwe::looks_like(session) => Ok(None),
            _ if !session.contains('.') && session.len() <= MAX_OPAQUE => {
                Err(AuthError::OpaqueSession)
            }
            _ => decrypt(session, keys.iter()).map(Some),
        }
    }

    /// Judges bearer tokens. The name of the site's cookie is unknown here, so every key is tried.
    /// Tokens are percent-decoded, as in `getToken`.
    fn judge_bearers(
        &self,
        request: &RequestView<'_>,
        verdict: &mut Verdict,
    ) -> Result<(), AuthError> {
        let mut tokens = Candidates::at_most(MAX_BEARERS);
        for token in request.bearer_tokens() {
            match token {
                Ok(token) => {
                    let decoded = percent_encoding::percent_decode_str(token).decode_utf8();
                    let token = decoded.unwrap_or(Cow::Borrowed(token));
                    if jwe::looks_like(&token) {
                        tokens.push(token)?;
                    }
                }
                Err(error) => verdict.add(Err(error))?,
            }
        }
        for token in tokens.iter() {
            let content = decrypt(token, self.cookies.iter().flat_map(|cookie| &cookie.keys));
            let answer = content.and_then(|content| self.identity(&content, Credential::Bearer));
            verdict.add(answer.map(Some))?;
        }
        Ok(())
    }

    fn identity(&self, content: &[u8], credential: Credential) -> Result<Identity, AuthError> {
        let claims = claims::decode(content)?;
        let expires_at = self.times.check(&claims, self.clock.unix())?;
        let identity = Identity::new(claims::user(&claims)?, credential).expires_at(expires_at);
        // Sessions of both libraries have a `jti`. A session without one is identified by its
        // content.
        let identity = match claims::login(&claims) {
            Some(login) => identity.login(login),
            None => identity.login(content),
        };
        Ok(identity.claims(claims))
    }
}

fn decrypt<'k>(
    token: &str,
    keys: impl Iterator<Item = &'k SessionKey>,
) -> Result<Vec<u8>, AuthError> {
    if token.len() > MAX_SESSION {
        return Err(AuthError::TooLong { limit: MAX_SESSION });
    }
    let token = Jwe::parse(token)?;
    let mut failed = AuthError::UnknownKey;
    for key in keys.filter(|key| key.fits(&token)) {
        match token.decrypt(&key.key) {
            Ok(content) => return Ok(content),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[async_trait]
impl Authenticator for NextAuth {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        let mut verdict = Verdict::new();
        self.judge_cookies(request, &mut verdict)?;
        self.judge_bearers(request, &mut verdict)?;
        verdict.finish()
    }
}
