//! The rule for requests with several credentials.

use crate::{
    error::AuthError,
    identity::{Credential, Identity},
};

/// Judges a request by all of its credentials.
///
/// No credential is chosen by its position. Each credential that the request presents is checked,
/// and those that verify must name one user:
///
/// - If at least one verifies, the caller is its user; credentials that do not verify are ignored.
/// - If two verify for different users, the request is refused ([`AuthError::Ambiguous`]).
/// - If none verifies, the request is refused with the error that says most about it.
///
/// A caller that is not a user, such as a backend with a key, keeps its identity even if the
/// request also has a user's cookie. Among several credentials of one user, the verdict prefers
/// those that a foreign page cannot make a browser send, and among these the one that ends last.
///
/// [`AuthError::Refused`] and [`AuthError::Unavailable`] are vetoes of the app's own code: they end
/// the judgement, even if other credentials verify. So does [`AuthError::TooMany`].
///
/// ```
/// use sse_auth::{AuthError, Credential, Identity, Verdict};
///
/// let mut verdict = Verdict::new();
/// verdict.add(Err(AuthError::UnknownTicket))?;
/// verdict.add(Ok(Some(Identity::new("42", Credential::Bearer))))?;
/// let identity = verdict.finish()?.unwrap();
/// assert_eq!(identity.user.as_deref(), Some("42"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Verdict {
    accepted: Option<Identity>,
    error: Option<AuthError>,
}

impl Verdict {
    /// Creates a verdict on a request without credentials.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the result for one credential.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is refused whatever its other credentials are.
    pub fn add(&mut self, answer: Result<Option<Identity>, AuthError>) -> Result<(), AuthError> {
        match answer {
            Ok(None) => {}
            Ok(Some(new)) => {
                self.accepted = Some(match self.accepted.take() {
                    None => new,
                    Some(known) => one_user(known, new)?,
                });
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                if self
                    .error
                    .as_ref()
                    .is_none_or(|known| weight(&error) > weight(known))
                {
                    self.error = Some(error);
                }
            }
        }
        Ok(())
    }

    /// Returns the caller; `None` if nothing was presented.
    ///
    /// # Errors
    ///
    /// Returns an error if credentials were presented and none verified.
    pub fn finish(self) -> Result<Option<Identity>, AuthError> {
        match (self.accepted, self.error) {
            (None, Some(error)) => Err(error),
            (accepted, _) => Ok(accepted),
        }
    }
}

fn one_user(known: Identity, new: Identity) -> Result<Identity, AuthError> {
    match (&known.user, &new.user) {
        (None, _) => Ok(known),
        (_, None) => Ok(new),
        (Some(one), Some(other)) if one != other => Err(AuthError::Ambiguous),
        _ if rank(&new) > rank(&known) => Ok(new),
        _ => Ok(known),
    }
}

fn rank(identity: &Identity) -> (bool, u64) {
    (
        !Credential::is_ambient(identity.credential),
        identity.expires_at.unwrap_or(u64::MAX),
    )
}

fn is_final(error: &AuthError) -> bool {
    matches!(
        error,
        AuthError::Refused(_)
            | AuthError::Unavailable(_)
            | AuthError::Ambiguous
            | AuthError::TooMany { .. }
    )
}

/// Rates how much an error says. Credentials that could not be checked may be valid, and expired
/// credentials once were.
fn weight(error: &AuthError) -> u8 {
    match error {
        AuthError::Keys(_) | AuthError::Store(_) => 2,
        AuthError::Expired { .. } => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(
        user: &str,
        credential: Credential,
        end: Option<u64>,
    ) -> Result<Option<Identity>, AuthError> {
        Ok(Some(Identity::new(user, credential).expires_at(end)))
    }

    fn judged(
        answers: Vec<Result<Option<Identity>, AuthError>>,
    ) -> Result<Option<(Credential, Option<u64>)>, String> {
        let mut verdict = Verdict::new();
        let added = answers
            .into_iter()
            .try_for_each(|answer| verdict.add(answer));
        let finished = added.and_then(|()| verdict.finish());
        let known = |identity: Identity| (identity.credential, identity.expires_at);
        finished
            .map(|found| found.map(known))
            .map_err(|error| error.code().to_owned())
    }

    #[test]
    fn order_of_credentials_does_not_matter() {
        use Credential::{Bearer, Cookie};
        let expired = || Err(AuthError::Expired { at: 1 });
        let bad = || Err(AuthError::Integrity);
        let ada = |end| identity("ada", Cookie, Some(end));
        type Answers = Vec<Result<Option<Identity>, AuthError>>;
        let table: Vec<(Answers, _)> = vec![
            (vec![], Ok(None)),
            (vec![Ok(None), bad()], Err("integrity")),
            (vec![bad(), expired()], Err("expired")),
            (vec![bad(), ada(5), expired()], Ok(Some((Cookie, Some(5))))),
            (vec![ada(5), ada(9), ada(7)], Ok(Some((Cookie, Some(9))))),
            (
                vec![ada(5), identity("ada", Cookie, None)],
                Ok(Some((Cookie, None))),
            ),
            (
                vec![ada(9), identity("ada", Bearer, Some(5))],
                Ok(Some((Bearer, Some(5)))),
            ),
            (
                vec![ada(5), bad(), identity("bob", Bearer, None)],
                Err("ambiguous"),
            ),
            (
                vec![ada(5), Ok(Some(Identity::without_user(Bearer)))],
                Ok(Some((Bearer, None))),
            ),
            (
                vec![ada(5), Err(AuthError::refused("banned"))],
                Err("refused"),
            ),
            (
                vec![ada(5), Err(AuthError::unavailable("down"))],
                Err("unavailable"),
            ),
        ];
        for (answers, expected) in table {
            let expected = expected.map_err(str::to_owned);
            let reversed: Vec<_> = answers.iter().rev().cloned().collect();
            assert_eq!(judged(answers), expected);
            assert_eq!(judged(reversed), expected);
        }
    }
}
