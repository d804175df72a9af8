//! Sessions of NextAuth v4 and Auth.js v5 that live in an encrypted cookie (strategy `jwt`, their default).

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;

use crate::{
    authenticator::Authenticator,
    claims::{self, Times},
    clock::Clock,
    error::AuthError,
    identity::{Credential, Identity},
    jwe::{self, Jwe},
    next_auth_builder::NextAuthBuilder,
    request::RequestView,
    session_keys::SessionKey,
};

/// 16 cookies of about 4 KB each.
pub(crate) const MAX_SESSION: usize = 64 * 1024;

/// Recognises the users of a site that signs them in with NextAuth v4 or Auth.js v5, by the site's own secret and session cookie.
///
/// A cookie counts first, then `Authorization: Bearer`, as on the site itself. Cookies are looked for in the order of their names
/// ([`NextAuthBuilder::cookie_name`]): whole, then in chunks. The first that is authentic decides, even when it has expired.
///
/// A session cookie that is no encrypted token is refused; see [`NextAuthBuilder::pass_opaque_ids`].
#[derive(Debug)]
pub struct NextAuth {
    pub(crate) cookies: Vec<SessionCookie>,
    pub(crate) times: Times,
    pub(crate) opaque_ids: OpaqueIds,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A cookie that may hold a session, and the keys with which it may be encrypted.
#[derive(Debug)]
pub(crate) struct SessionCookie {
    pub(crate) name: String,
    pub(crate) keys: Vec<SessionKey>,
}

/// What to do with a session cookie that is no encrypted token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpaqueIds {
    Refused,
    Passed,
}

/// A decrypted session, or nothing that this authenticator is responsible for.
type Content = Result<Option<(Vec<u8>, Credential)>, AuthError>;

impl NextAuth {
    /// Sessions that are encrypted with a secret: `NEXTAUTH_SECRET` or `AUTH_SECRET`.
    pub fn builder() -> NextAuthBuilder {
        NextAuthBuilder::default()
    }

    fn content(&self, request: &RequestView<'_>) -> Content {
        match self.cookie(request)? {
            Some(content) => Ok(Some((content, Credential::Cookie))),
            None => Ok(self.bearer(request)?.map(|content| (content, Credential::Bearer))),
        }
    }

    fn cookie(&self, request: &RequestView<'_>) -> Result<Option<Vec<u8>>, AuthError> {
        let cookies = request.cookies();
        let mut first_error = None;
        for cookie in &self.cookies {
            for session in cookies.spread(&cookie.name, MAX_SESSION).candidates() {
                match session.and_then(|session| self.decrypt_cookie(&session, &cookie.keys)) {
                    Ok(Some(content)) => return Ok(Some(content)),
                    Ok(None) => {}
                    Err(error) => _ = first_error.get_or_insert(error),
                }
            }
        }
        first_error.map_or(Ok(None), Err)
    }

    fn decrypt_cookie(&self, session: &str, keys: &[SessionKey]) -> Result<Option<Vec<u8>>, AuthError> {
        match self.opaque_ids {
            // A cookie that was emptied is one that was taken away.
            _ if session.is_empty() => Ok(None),
            OpaqueIds::Passed if !jwe::looks_like(session) => Ok(None),
            _ => decrypt(session, keys.iter()).map(Some),
        }
    }

    /// The site's name for its cookie is not known here, so every key may be meant. Percent-decoded, as `getToken` does it.
    fn bearer(&self, request: &RequestView<'_>) -> Result<Option<Vec<u8>>, AuthError> {
        let Some(token) = request.bearer_token()? else { return Ok(None) };
        let token = percent_encoding::percent_decode_str(token).decode_utf8().unwrap_or(Cow::Borrowed(token));
        if !jwe::looks_like(&token) {
            return Ok(None);
        }
        decrypt(&token, self.cookies.iter().flat_map(|cookie| &cookie.keys)).map(Some)
    }

    fn identity(&self, content: &[u8], credential: Credential) -> Result<Identity, AuthError> {
        let claims = claims::decode(content)?;
        let expires_at = self.times.check(&claims, self.clock.unix())?;
        let identity = Identity::new(claims::user(&claims)?, credential).expires_at(expires_at);
        // Sessions of both libraries have a `jti`; of one without, its content is what there is.
        let identity = match claims::login(&claims) {
            Some(login) => identity.login(login),
            None => identity.login(content),
        };
        Ok(identity.claims(claims))
    }
}

fn decrypt<'k>(token: &str, keys: impl Iterator<Item = &'k SessionKey>) -> Result<Vec<u8>, AuthError> {
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
        let content = self.content(request)?;
        content.map(|(content, credential)| self.identity(&content, credential)).transpose()
    }
}
