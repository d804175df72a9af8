//! Several authenticators together.

use async_trait::async_trait;
use serde_json::json;
use sse_auth::{
    Algorithm, ApiKey, AuthError, Authenticator, Credential, FirstOf, Identity, Jwt, Key, ManualClock,
    NextAuth, Refusal, RequestView, Tickets,
};

use crate::support::{NOW, SECRET, V4, accepted, ask, ask_bearer, ask_cookie, claims, hs256, refused, v4};

const KEY: &str = "the-key-of-the-backend-and-of-nobody-else";

fn all() -> (FirstOf, Tickets) {
    let clock = ManualClock::at(NOW);
    let tickets = Tickets::builder().clock(clock.clone()).build();
    let jwt = Jwt::builder()
        .key(Key::secret(Algorithm::HS256, SECRET).unwrap())
        .clock(clock.clone())
        .build()
        .unwrap();
    let next_auth = NextAuth::builder().secret(SECRET).clock(clock).build().unwrap();
    let all = FirstOf::new().or(tickets.clone()).or(ApiKey::new(KEY).unwrap()).or(jwt).or(next_auth);
    (all, tickets)
}

fn session() -> String {
    v4(SECRET, &json!({ "alg": "dir", "enc": "A256GCM" }), claims().to_string())
}

#[tokio::test]
async fn each_kind_of_credential_finds_its_authenticator() {
    let (all, tickets) = all();
    let token = hs256(&json!({ "alg": "HS256" }), claims().to_string(), SECRET.as_bytes());
    assert_eq!(accepted(ask_bearer(&all, &token).await).1, Credential::Bearer);
    assert_eq!(accepted(ask_bearer(&all, &session()).await).1, Credential::Bearer);
    assert_eq!(accepted(ask_cookie(&all, V4, &session()).await).1, Credential::Cookie);
    assert_eq!(ask_bearer(&all, KEY).await.unwrap().unwrap().user, None);
    let ticket = tickets.issue(&Identity::new("bob", Credential::Bearer)).unwrap();
    let query = format!("ticket={}", ticket.as_str());
    let cookie = format!("{V4}={}", session());
    let request = RequestView::new("GET").query(query.as_str()).header("cookie", &cookie);
    assert_eq!(accepted(all.authenticate(&request).await), ("bob".to_owned(), Credential::Ticket));
    // The ticket is used up: what is presented on purpose is not replaced by a cookie.
    assert_eq!(refused(all.authenticate(&request).await), "UnknownTicket");
}

#[tokio::test]
async fn who_presents_nothing_is_anonymous() {
    let (all, _) = all();
    assert!(all.authenticate(&RequestView::new("GET")).await.unwrap().is_none());
    assert!(ask(&all, "cookie", "theme=dark; next-auth.csrf-token=x").await.unwrap().is_none());
    assert!(FirstOf::new().authenticate(&RequestView::new("GET")).await.unwrap().is_none());
}

#[tokio::test]
async fn credentials_that_nobody_knows_do_not_make_anybody_anonymous() {
    let (all, _) = all();
    for value in ["Bearer opaque", "Basic eDp5", "Negotiate x", ""] {
        assert_eq!(refused(ask(&all, "authorization", value).await), "Unrecognized", "{value}");
    }
    let nobody = FirstOf::new();
    let request = RequestView::new("GET").query("ticket=x");
    assert_eq!(refused(nobody.authenticate(&request).await), "Unrecognized");
}

/// As an app writes one.
struct Header;

#[async_trait]
impl Authenticator for Header {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        match request.header_value("x-user")? {
            None => Ok(None),
            Some(b"down") => Err(AuthError::unavailable("no database")),
            Some(b"eve") => Err(AuthError::refused("banned")),
            Some(name) => Ok(Some(Identity::new(String::from_utf8_lossy(name), Credential::Other))),
        }
    }
}

#[tokio::test]
async fn an_apps_own_authenticator_is_like_ours() {
    let all = FirstOf::new().or(Header).or(std::sync::Arc::new(Header) as std::sync::Arc<dyn Authenticator>);
    assert_eq!(accepted(ask(&all, "X-User", "ada").await), ("ada".to_owned(), Credential::Other));
    let error = ask(&all, "x-user", "eve").await.unwrap_err();
    assert_eq!(
        (error.refusal(), std::error::Error::source(&error).unwrap().to_string()),
        (Refusal::Invalid, "banned".to_owned())
    );
    let error = ask(&all, "x-user", "down").await.unwrap_err();
    assert_eq!((error.refusal(), error.refusal().status()), (Refusal::Unavailable, 503));
}

#[test]
fn clients_learn_four_things() {
    for (error, refusal, status, code) in [
        (AuthError::Signature, Refusal::Invalid, 401, "invalid"),
        (AuthError::UnknownKey, Refusal::Invalid, 401, "invalid"),
        (AuthError::Integrity, Refusal::Invalid, 401, "invalid"),
        (AuthError::UnknownTicket, Refusal::Invalid, 401, "invalid"),
        (AuthError::UnknownSession, Refusal::Invalid, 401, "invalid"),
        (AuthError::NotYetValid { at: 1 }, Refusal::Invalid, 401, "invalid"),
        (AuthError::Expired { at: 1 }, Refusal::Expired, 401, "expired"),
        (AuthError::unavailable("x"), Refusal::Unavailable, 503, "unavailable"),
    ] {
        assert_eq!((error.refusal(), refusal.status(), refusal.code()), (refusal, status, code));
        assert_eq!(refusal.www_authenticate().is_some(), status == 401);
    }
    assert_eq!(Refusal::Missing.www_authenticate(), Some("Bearer"));
    assert!(Refusal::Expired.www_authenticate().unwrap().starts_with("Bearer error=\"invalid_token\""));
}
