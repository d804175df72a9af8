//! Checks of the claims about time and user, the same for every kind of token.

use serde_json::{Map, Value};

use crate::{
    error::{AuthError, ClaimProblem},
    lone_surrogates,
};

/// The first second after the year 9999.
const END_OF_TIME: f64 = 253_402_300_800.0;

/// The settings by which a token's times are checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Leeway, in seconds.
    pub(crate) leeway: u64,
    pub(crate) expiry: Expiry,
}

/// The rule for tokens without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    Required,
    Optional,
}

/// Parses claims. Half of a surrogate pair in a claim is the replacement character.
pub(crate) fn decode(json: &[u8]) -> Result<Map<String, Value>, AuthError> {
    serde_json::from_slice(&lone_surrogates::replaced(json))
        .map_err(|_| AuthError::Malformed("the claims are not a JSON object"))
}

impl Times {
    /// Checks `exp`, `nbf` and `iat`, and returns the time at which the token ends. The exact
    /// seconds of begin and end are those of `jose`, so a session is valid here exactly as long as
    /// on its own site.
    pub(crate) fn check(
        self,
        claims: &Map<String, Value>,
        now: u64,
    ) -> Result<Option<u64>, AuthError> {
        time(claims, "iat")?;
        let (expires, begins) = (time(claims, "exp")?, time(claims, "nbf")?);
        if expires.is_none() && self.expiry == Expiry::Required {
            return Err(AuthError::claim("exp", ClaimProblem::Missing));
        }
        if let Some(begins) =
            begins.filter(|begins| *begins > seconds(now.saturating_add(self.leeway)))
        {
            return Err(AuthError::NotYetValid { at: whole(begins) });
        }
        match expires {
            Some(expires) if expires + seconds(self.leeway) <= seconds(now) => {
                Err(AuthError::Expired { at: whole(expires) })
            }
            expires => Ok(expires.map(whole)),
        }
    }
}

/// Reads a `NumericDate` (RFC 7519, section 2): seconds, possibly with a fraction.
fn time(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<f64>, AuthError> {
    let Some(value) = claims.get(claim) else {
        return Ok(None);
    };
    let time = value
        .as_f64()
        .ok_or(AuthError::claim(claim, ClaimProblem::WrongType))?;
    match time {
        _ if time < END_OF_TIME => Ok(Some(time)),
        _ => Err(AuthError::claim(claim, ClaimProblem::OutOfRange)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 are far below 2^53"
)]
fn seconds(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, as intended for a time before 1970"
)]
fn whole(time: f64) -> u64 {
    time as u64
}

/// Returns the user: `sub`, else `id`, else `email`. A claim that is present and cannot be a user
/// is refused, not skipped: two parties that read a token differently can turn one user into
/// another.
pub(crate) fn user(claims: &Map<String, Value>) -> Result<String, AuthError> {
    let given = ["sub", "id", "email"]
        .into_iter()
        .find_map(|claim| match claims.get(claim) {
            None | Some(Value::Null) => None,
            Some(value) => Some((claim, value)),
        });
    match given {
        Some((_, Value::String(user))) if !user.is_empty() => Ok(user.clone()),
        // Databases use numeric ids.
        Some((_, Value::Number(user))) if user.is_u64() || user.is_i64() => Ok(user.to_string()),
        Some((claim, _)) => Err(AuthError::claim(claim, ClaimProblem::WrongType)),
        None => Err(AuthError::NoUser),
    }
}

/// Returns the claim that identifies one sign-in of a user: the `sid` (OpenID Connect Front-Channel
/// Logout 1.0, section 3), which outlives its tokens, else the token's own name.
pub(crate) fn login(claims: &Map<String, Value>) -> Option<&str> {
    let text = |claim| claims.get(claim)?.as_str().filter(|text| !text.is_empty());
    text("sid").or_else(|| text("jti"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_000_000;

    fn check(claims: &Value, expiry: Expiry) -> Result<Option<u64>, AuthError> {
        Times { leeway: 15, expiry }.check(claims.as_object().unwrap(), NOW)
    }

    #[test]
    fn times_have_leeway_and_fractions() {
        for (claims, expires) in [
            (json!({}), None),
            (json!({ "exp": NOW + 1 }), Some(NOW + 1)),
            (json!({ "exp": NOW - 14 }), Some(NOW - 14)),
            (json!({ "exp": 999_985.5 }), Some(999_985)),
            (json!({ "exp": 1e6 }), Some(NOW)),
            (
                json!({ "exp": NOW, "nbf": NOW + 15, "iat": NOW + 1000 }),
                Some(NOW),
            ),
            (json!({ "exp": 253_402_300_799_u64 }), Some(253_402_300_799)),
        ] {
            assert_eq!(
                check(&claims, Expiry::Optional).unwrap(),
                expires,
                "{claims}"
            );
        }
    }

    #[test]
    fn tokens_end_and_begin() {
        assert!(matches!(
            check(&json!({ "exp": NOW - 15 }), Expiry::Optional),
            Err(AuthError::Expired { at: 999_985 })
        ));
        for exp in [json!(-1), json!(-1e300), json!(0), json!(i64::MIN)] {
            assert!(
                matches!(
                    check(&json!({ "exp": exp }), Expiry::Optional),
                    Err(AuthError::Expired { at: 0 })
                ),
                "{exp}"
            );
        }
        assert!(matches!(
            check(&json!({ "nbf": NOW + 16 }), Expiry::Optional),
            Err(AuthError::NotYetValid { .. })
        ));
    }

    #[test]
    fn invalid_times_are_rejected() {
        for claim in ["exp", "nbf", "iat"] {
            for value in [json!("1"), json!(null), json!(true), json!([]), json!({})] {
                let error = check(&json!({ claim: value }), Expiry::Optional).unwrap_err();
                assert!(
                    matches!(
                        error,
                        AuthError::Claim {
                            problem: ClaimProblem::WrongType,
                            ..
                        }
                    ),
                    "{claim} {value}"
                );
            }
            for value in [
                json!(1e300),
                json!(u64::MAX),
                json!(253_402_300_800_u64),
                json!(1_732_312_345_678_u64),
            ] {
                let error = check(&json!({ claim: value }), Expiry::Optional).unwrap_err();
                assert!(
                    matches!(
                        error,
                        AuthError::Claim {
                            problem: ClaimProblem::OutOfRange,
                            ..
                        }
                    ),
                    "{claim} {value}"
                );
            }
        }
        assert!(matches!(
            check(&json!({}), Expiry::Required),
            Err(AuthError::Claim {
                claim: "exp",
                problem: ClaimProblem::Missing
            })
        ));
    }

    #[test]
    fn claims_cut_inside_a_character_are_text() {
        for (sub, expected) in [
            (r"a\ud83d", "a\u{fffd}"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\ude00", "\u{1f600}"),
            (r"\\ud83d", r"\ud83d"),
        ] {
            let claims = decode(format!(r#"{{"sub":"{sub}","\ud83d":1}}"#).as_bytes()).unwrap();
            assert_eq!(user(&claims).unwrap(), expected);
            assert_eq!(claims["\u{fffd}"], 1);
        }
    }

    #[test]
    fn user_is_sub_or_id_or_email() {
        for (claims, name) in [
            (json!({ "sub": "a", "id": "b", "email": "c" }), "a"),
            (json!({ "id": "b", "email": "c" }), "b"),
            (json!({ "sub": null, "id": 42 }), "42"),
            (json!({ "email": "c" }), "c"),
        ] {
            assert_eq!(user(claims.as_object().unwrap()).unwrap(), name);
        }
        assert!(matches!(user(&Map::new()), Err(AuthError::NoUser)));
        for sub in [json!(""), json!(1.5), json!(["a"]), json!({}), json!(true)] {
            let claims = json!({ "sub": sub, "email": "c" });
            assert!(
                matches!(
                    user(claims.as_object().unwrap()),
                    Err(AuthError::Claim { claim: "sub", .. })
                ),
                "{sub}"
            );
        }
    }
}
