//! Several authenticators together.

use async_trait::async_trait;
use serde_json::json;
use sse_auth::{
    Algorithm, ApiKey, AuthError, AuthRejection, Authenticator, Credential, FirstOf, Identity, Jwt,
    Key, ManualClock, NextAuth, RequestView, Tickets,
};

use crate::support::{
    NOW, SECRET, V4, accepted, ask, ask_bearer, ask_cookie, claims, hs256, refused, v4,
};

const KEY: &str = "the-key-of-the-backend-and-of-nobody-else";

fn all() -> (FirstOf, Tickets) {
    let clock = ManualClock::at(NOW);
    let tickets = Tickets::builder().clock(clock.clone()).build();
    let jwt = Jwt::builder()
        .key(Key::secret(Algorithm::HS256, SECRET).unwrap())
        .clock(clock.clone())
        .build()
        .unwrap();
    let next_auth = NextAuth::builder()
        .secret(SECRET)
        .clock(clock)
        .build()
        .unwrap();
    let all = FirstOf::new()
        .or(tickets.clone())
        .or(ApiKey::new(KEY).unwrap())
        .or(jwt)
        .or(next_auth);
    (all, tickets)
}

fn session() -> String {
    v4(
        SECRET,
        &json!({ "alg": "dir", "enc": "A256GCM" }),
        claims().to_string(),
    )
}

#[tokio::test]
async fn each_kind_of_credential_finds_its_authenticator() {
    let (all, tickets) = all();
    let token = hs256(
        &json!({ "alg": "HS256" }),
        claims().to_string(),
        SECRET.as_bytes(),
    );
    assert_eq!(
        accepted(ask_bearer(&all, &token).await).1,
        Credential::Bearer
    );
    assert_eq!(
        accepted(ask_bearer(&all, &session()).await).1,
        Credential::Bearer
    );
    assert_eq!(
        accepted(ask_cookie(&all, V4, &session()).await).1,
        Credential::Cookie
    );
    assert_eq!(ask_bearer(&all, KEY).await.unwrap().unwrap().user, None);
    let ticket = tickets
        .issue(&Identity::new("ada", Credential::Bearer))
        .unwrap();
    let query = format!("ticket={}", ticket.as_str());
    let cookie = format!("{V4}={}", session());
    let request = RequestView::new("GET")
        .query(query.as_str())
        .header("cookie", &cookie);
    assert_eq!(
        accepted(all.authenticate(&request).await),
        ("ada".to_owned(), Credential::Ticket)
    );
    // The ticket is used up now, and the session is still valid.
    assert_eq!(
        accepted(all.authenticate(&request).await),
        ("ada".to_owned(), Credential::Cookie)
    );
    let request = RequestView::new("GET").query(query.as_str());
    assert_eq!(refused(all.authenticate(&request).await), "UnknownTicket");
}

#[tokio::test]
async fn caller_without_credentials_is_anonymous() {
    let (all, _) = all();
    assert!(
        all.authenticate(&RequestView::new("GET"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        ask(&all, "cookie", "theme=dark; next-auth.csrf-token=x")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        FirstOf::new()
            .authenticate(&RequestView::new("GET"))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn unknown_credentials_are_not_anonymous() {
    let (all, _) = all();
    assert_eq!(
        refused(ask(&all, "authorization", "Bearer opaque").await),
        "Unrecognized"
    );
    assert!(refused(ask(&all, "authorization", "Bearer").await).starts_with("Malformed"));
    let nobody = FirstOf::new();
    let request = RequestView::new("GET").query("ticket=x");
    assert_eq!(refused(nobody.authenticate(&request).await), "Unrecognized");
}

/// A proxy that itself asks for a password forwards the header.
#[tokio::test]
async fn other_schemes_are_ignored() {
    let (all, _) = all();
    let token = format!(
        "Bearer {}",
        hs256(
            &json!({ "alg": "HS256" }),
            claims().to_string(),
            SECRET.as_bytes()
        )
    );
    let cookie = format!("{V4}={}", session());
    for value in [
        "Basic eDp5",
        "Digest username=\"x\", nc=1",
        "Negotiate x",
        "NTLM x",
        "Unknown",
        "x",
        "",
    ] {
        let request = || RequestView::new("GET").header("authorization", value);
        assert!(
            all.authenticate(&request()).await.unwrap().is_none(),
            "{value}"
        );
        let with_cookie = request().header("cookie", &cookie);
        assert_eq!(
            accepted(all.authenticate(&with_cookie).await).1,
            Credential::Cookie,
            "{value}"
        );
        let with_token = request().header("authorization", &token);
        assert_eq!(
            accepted(all.authenticate(&with_token).await).1,
            Credential::Bearer,
            "{value}"
        );
    }
}

/// The rule for requests with several credentials, tested with every pair of places that can hold a
/// credential.
#[tokio::test]
async fn all_credentials_must_be_of_one_user() {
    let (all, tickets) = all();
    let claims = |user: &str, exp: u64| json!({ "sub": user, "exp": exp }).to_string();
    let session = |user: &str, exp| {
        v4(
            SECRET,
            &json!({ "alg": "dir", "enc": "A256GCM" }),
            claims(user, exp),
        )
    };
    let signed = |user: &str, exp| {
        hs256(
            &json!({ "alg": "HS256" }),
            claims(user, exp),
            SECRET.as_bytes(),
        )
    };
    // The content of a place: a valid credential of a user, or an expired one.
    let place = |place: usize, user: &str, good: bool| -> (&str, String) {
        let exp = if good { NOW + 60 } else { NOW - 60 };
        match place {
            0 => ("cookie", format!("{V4}={}", session(user, exp))),
            1 => ("cookie", format!("__Secure-{V4}={}", session(user, exp))),
            2 => ("authorization", format!("Bearer {}", signed(user, exp))),
            3 => ("authorization", format!("Bearer {}", session(user, exp))),
            _ if good => {
                let ticket = tickets
                    .issue(&Identity::new(user, Credential::Other))
                    .unwrap();
                ("ticket", ticket.as_str().to_owned())
            }
            _ => ("ticket", "used".to_owned()),
        }
    };
    let ask = async |held: [(&str, String); 2]| {
        let query: Vec<_> = held
            .iter()
            .filter(|(name, _)| *name == "ticket")
            .map(|(_, it)| format!("ticket={it}"))
            .collect();
        let query = query.join("&");
        let headers = held.iter().filter(|(name, _)| *name != "ticket");
        let headers = headers.map(|(name, value)| (*name, value.as_bytes()));
        let request = RequestView::new("GET")
            .query(query.as_str())
            .headers(headers);
        all.authenticate(&request)
            .await
            .map(|found| found.unwrap().user.unwrap())
    };
    for one in 0..5 {
        for two in 0..5 {
            let both = |first: (&str, bool), second: (&str, bool)| {
                [place(one, first.0, first.1), place(two, second.0, second.1)]
            };
            let places = format!("{one} {two}");
            assert_eq!(
                ask(both(("ada", true), ("ada", true))).await.unwrap(),
                "ada",
                "{places}"
            );
            assert_eq!(
                ask(both(("ada", false), ("bob", true))).await.unwrap(),
                "bob",
                "{places}"
            );
            assert_eq!(
                ask(both(("bob", true), ("ada", false))).await.unwrap(),
                "bob",
                "{places}"
            );
            let error = ask(both(("ada", true), ("bob", true))).await.unwrap_err();
            assert_eq!(error.code(), "ambiguous", "{places}");
            assert!(
                ask(both(("ada", false), ("bob", false))).await.is_err(),
                "{places}"
            );
        }
    }
}

#[tokio::test]
async fn backend_with_a_user_session_stays_a_backend() {
    let (all, _) = all();
    let (key, cookie) = (format!("Bearer {KEY}"), format!("{V4}={}", session()));
    for headers in [
        [("authorization", &key), ("cookie", &cookie)],
        [("cookie", &cookie), ("authorization", &key)],
    ] {
        let request =
            RequestView::new("GET").headers(headers.map(|(name, value)| (name, value.as_bytes())));
        let identity = all.authenticate(&request).await.unwrap().unwrap();
        assert_eq!(
            (identity.user, identity.credential),
            (None, Credential::Bearer)
        );
    }
}

/// An authenticator as an app writes one.
struct Header;

#[async_trait]
impl Authenticator for Header {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        match request.header_value("x-user")? {
            None => Ok(None),
            Some(b"down") => Err(AuthError::unavailable("no database")),
            Some(b"eve") => Err(AuthError::refused("banned")),
            Some(name) => Ok(Some(Identity::new(
                String::from_utf8_lossy(name),
                Credential::Other,
            ))),
        }
    }
}

#[tokio::test]
async fn custom_authenticator_takes_part() {
    let all = FirstOf::new()
        .or(Header)
        .or(std::sync::Arc::new(Header) as std::sync::Arc<dyn Authenticator>);
    assert_eq!(
        accepted(ask(&all, "X-User", "ada").await),
        ("ada".to_owned(), Credential::Other)
    );
    // The rejection of `Header` is a veto, whatever else the request contains.
    let request = RequestView::new("GET")
        .header("x-user", "eve")
        .header("authorization", "Bearer x");
    assert_eq!(
        FirstOf::new()
            .or(Header)
            .authenticate(&request)
            .await
            .unwrap_err()
            .code(),
        "refused"
    );
    let error = ask(&all, "x-user", "eve").await.unwrap_err();
    assert_eq!(
        (
            error.rejection(),
            std::error::Error::source(&error).unwrap().to_string()
        ),
        (AuthRejection::Invalid, "banned".to_owned())
    );
    let error = ask(&all, "x-user", "down").await.unwrap_err();
    assert_eq!(
        (error.rejection(), error.rejection().status()),
        (AuthRejection::Unavailable, 503)
    );
}

#[test]
fn clients_receive_four_kinds_of_rejection() {
    for (error, refusal, status, code) in [
        (AuthError::Signature, AuthRejection::Invalid, 401, "invalid"),
        (
            AuthError::UnknownKey,
            AuthRejection::Invalid,
            401,
            "invalid",
        ),
        (AuthError::Integrity, AuthRejection::Invalid, 401, "invalid"),
        (
            AuthError::UnknownTicket,
            AuthRejection::Invalid,
            401,
            "invalid",
        ),
        (
            AuthError::UnknownSession,
            AuthRejection::Invalid,
            401,
            "invalid",
        ),
        (
            AuthError::NotYetValid { at: 1 },
            AuthRejection::Invalid,
            401,
            "invalid",
        ),
        (
            AuthError::Expired { at: 1 },
            AuthRejection::Expired,
            401,
            "expired",
        ),
        (
            AuthError::unavailable("x"),
            AuthRejection::Unavailable,
            503,
            "unavailable",
        ),
    ] {
        assert_eq!(
            (error.rejection(), refusal.status(), refusal.code()),
            (refusal, status, code)
        );
        assert_eq!(refusal.www_authenticate().is_some(), status == 401);
    }
    assert_eq!(AuthRejection::Missing.www_authenticate(), Some("Bearer"));
    assert!(
        AuthRejection::Expired
            .www_authenticate()
            .unwrap()
            .starts_with("Bearer error=\"invalid_token\"")
    );
}
