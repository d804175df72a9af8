//! Invalid signed tokens, and some valid ones.

use serde_json::{Value, json};
use sse_auth::{
    Algorithm, Authenticator as _, Credential, Jwt, JwtBuilder, Key, ManualClock, RequestView,
};

use crate::support::{
    NOW, SECRET, accepted, ask, ask_bearer, ask_cookie, b64, claims, claims_with, hs256, refused,
};

pub(crate) fn secret() -> Key {
    Key::secret(Algorithm::HS256, SECRET).unwrap()
}

pub(crate) fn builder() -> JwtBuilder {
    Jwt::builder().clock(ManualClock::at(NOW))
}

pub(crate) fn jwt() -> Jwt {
    builder().key(secret()).build().unwrap()
}

pub(crate) fn header() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

pub(crate) fn token() -> String {
    hs256(&header(), claims().to_string(), SECRET.as_bytes())
}

pub(crate) fn with_claims(claims: &Value) -> String {
    hs256(&header(), claims.to_string(), SECRET.as_bytes())
}

#[tokio::test]
async fn headers_are_well_formed() {
    for (header, error) in [
        (json!({ "alg": "none" }), r#"Algorithm("none")"#),
        (
            json!({ "alg": "A".repeat(100) }),
            r#"Algorithm("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")"#,
        ),
        (
            json!({ "alg": 1 }),
            r#"Malformed("a header parameter is not text")"#,
        ),
        (
            json!({ "typ": "JWT" }),
            r#"Malformed("the header has no `alg`")"#,
        ),
        (
            json!({ "alg": "HS256", "kid": 1 }),
            r#"Malformed("a header parameter is not text")"#,
        ),
        (
            json!({ "alg": "HS256", "crit": ["exp"] }),
            r#"HeaderParameter("crit")"#,
        ),
        (
            json!({ "alg": "HS256", "b64": true }),
            r#"HeaderParameter("b64")"#,
        ),
        (
            json!({ "alg": "HS256", "zip": "DEF" }),
            r#"HeaderParameter("zip")"#,
        ),
        (
            json!({ "alg": "HS256", "typ": "dpop+jwt" }),
            r#"HeaderParameter("typ")"#,
        ),
        (
            json!({ "alg": "HS256", "typ": 1 }),
            r#"Malformed("a header parameter is not text")"#,
        ),
        (
            json!(["HS256"]),
            r#"Malformed("the header is not a JSON object")"#,
        ),
    ] {
        assert_eq!(
            refused(
                ask_bearer(
                    &jwt(),
                    &hs256(&header, claims().to_string(), SECRET.as_bytes())
                )
                .await
            ),
            error
        );
    }
    for typ in ["JWT", "jwt", "application/at+jwt", "AT+JWT"] {
        let token = hs256(
            &json!({ "alg": "HS256", "typ": typ }),
            claims().to_string(),
            SECRET.as_bytes(),
        );
        assert_eq!(accepted(ask_bearer(&jwt(), &token).await).0, "ada");
    }
}

#[tokio::test]
async fn tokens_are_well_formed() {
    let token = token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    for bad in [
        format!("{message}."),
        format!("{message}.{}", &signature[1..]),
        format!("{token}="),
        format!("{token}A"),
        format!("{message}.{}", b64("")),
    ] {
        assert!(ask_bearer(&jwt(), &bad).await.is_err(), "{bad}");
    }
    for end in message.len()..token.len() {
        assert!(
            ask_bearer(&jwt(), &token[..end])
                .await
                .unwrap_or(None)
                .is_none(),
            "{end}"
        );
    }
    // The last character of a signature has unused bits: only one spelling is accepted.
    let last = token.chars().last().unwrap();
    for other in ('a'..='z')
        .chain('A'..='Z')
        .chain('0'..='9')
        .filter(|other| *other != last)
    {
        assert!(
            ask_bearer(&jwt(), &format!("{}{other}", &token[..token.len() - 1]))
                .await
                .is_err(),
            "{other}"
        );
    }
    let huge = format!("{token}{}", "A".repeat(16 * 1024));
    assert_eq!(
        refused(ask_bearer(&jwt(), &huge).await),
        "TooLong { limit: 16384 }"
    );
}

#[tokio::test]
async fn claims_are_checked() {
    let far = json!(u64::MAX);
    for (claim, value, error) in [
        (
            "exp",
            json!(NOW - 15),
            format!("Expired {{ at: {} }}", NOW - 15),
        ),
        ("exp", json!(-1), "Expired { at: 0 }".to_owned()),
        (
            "exp",
            json!(null),
            r#"Claim { claim: "exp", problem: WrongType }"#.to_owned(),
        ),
        (
            "exp",
            json!("9999999999"),
            r#"Claim { claim: "exp", problem: WrongType }"#.to_owned(),
        ),
        (
            "exp",
            far,
            r#"Claim { claim: "exp", problem: OutOfRange }"#.to_owned(),
        ),
        (
            "nbf",
            json!(NOW + 16),
            format!("NotYetValid {{ at: {} }}", NOW + 16),
        ),
        (
            "sub",
            json!(["a"]),
            r#"Claim { claim: "sub", problem: WrongType }"#.to_owned(),
        ),
        ("sub", json!(null), "NoUser".to_owned()),
    ] {
        assert_eq!(
            refused(ask_bearer(&jwt(), &with_claims(&claims_with(claim, value))).await),
            error
        );
    }
    for payload in ["", "null", "[]", "{", "\u{feff}{}", "{}{}"] {
        let token = hs256(&header(), payload, SECRET.as_bytes());
        assert_eq!(
            refused(ask_bearer(&jwt(), &token).await),
            r#"Malformed("the claims are not a JSON object")"#,
            "{payload}"
        );
    }
    let deep = format!(
        "{{\"sub\":\"a\",\"exp\":9999999999,\"x\":{}{}}}",
        "[".repeat(4000),
        "]".repeat(4000)
    );
    assert!(
        ask_bearer(&jwt(), &hs256(&header(), deep, SECRET.as_bytes()))
            .await
            .is_err()
    );
    // A number with more digits than a number type can hold.
    let digits = format!("{{\"sub\":\"a\",\"exp\":{}}}", "9".repeat(400));
    assert!(
        ask_bearer(&jwt(), &hs256(&header(), digits, SECRET.as_bytes()))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn exp_is_required_unless_optional() {
    let token = with_claims(&json!({ "sub": "ada" }));
    assert_eq!(
        refused(ask_bearer(&jwt(), &token).await),
        r#"Claim { claim: "exp", problem: Missing }"#
    );
    let lenient = builder().key(secret()).exp_optional().build().unwrap();
    assert_eq!(
        ask_bearer(&lenient, &token)
            .await
            .unwrap()
            .unwrap()
            .expires_at,
        None
    );
}

#[tokio::test]
async fn issuer_and_audience() {
    let jwt = builder()
        .key(secret())
        .issuer("https://i")
        .issuer("https://j")
        .audience("sse")
        .build()
        .unwrap();
    let with = |iss: Value, aud: Value| {
        let mut claims = claims();
        claims["iss"] = iss;
        claims["aud"] = aud;
        with_claims(&claims)
    };
    for (iss, aud) in [
        (json!("https://i"), json!("sse")),
        (json!("https://j"), json!(["x", "sse"])),
    ] {
        assert_eq!(accepted(ask_bearer(&jwt, &with(iss, aud)).await).0, "ada");
    }
    for (iss, aud, error) in [
        (
            json!("https://I"),
            json!("sse"),
            r#"Claim { claim: "iss", problem: NotAccepted }"#,
        ),
        (
            json!(["https://i"]),
            json!("sse"),
            r#"Claim { claim: "iss", problem: WrongType }"#,
        ),
        (
            json!("https://i"),
            json!("ss"),
            r#"Claim { claim: "aud", problem: NotAccepted }"#,
        ),
        (
            json!("https://i"),
            json!([]),
            r#"Claim { claim: "aud", problem: NotAccepted }"#,
        ),
        (
            json!("https://i"),
            json!(["sse", 1]),
            r#"Claim { claim: "aud", problem: WrongType }"#,
        ),
        (
            json!("https://i"),
            json!(null),
            r#"Claim { claim: "aud", problem: WrongType }"#,
        ),
    ] {
        assert_eq!(refused(ask_bearer(&jwt, &with(iss, aud)).await), error);
    }
    assert_eq!(
        refused(ask_bearer(&jwt, &token()).await),
        r#"Claim { claim: "iss", problem: Missing }"#
    );
}

#[tokio::test]
async fn position_of_tokens_does_not_matter() {
    let jwt = builder()
        .key(secret())
        .cookie("t")
        .cookie("u")
        .build()
        .unwrap();
    assert_eq!(
        accepted(ask_cookie(&jwt, "t", &token()).await),
        ("ada".to_owned(), Credential::Cookie)
    );
    assert_eq!(
        accepted(ask(&jwt, "cookie", &format!("t=; u=\"{}\"", token())).await).0,
        "ada"
    );
    assert!(ask_cookie(&jwt, "t", "garbage").await.is_err());
    assert!(ask_cookie(&jwt, "v", &token()).await.unwrap().is_none());
    let bearer = format!("bearer {}", with_claims(&claims_with("sub", json!("eve"))));
    let cookie = format!("t={}", token());
    let request = RequestView::new("GET")
        .header("Cookie", &cookie)
        .header("Authorization", &bearer);
    assert_eq!(refused(jwt.authenticate(&request).await), "Ambiguous");
    for stale in [
        "Bearer a.b.c".to_owned(),
        format!("{bearer}x"),
        "Bearer".to_owned(),
        "Basic eDp5".to_owned(),
    ] {
        let request = RequestView::new("GET")
            .header("Cookie", &cookie)
            .header("Authorization", &stale);
        assert_eq!(
            accepted(jwt.authenticate(&request).await),
            ("ada".to_owned(), Credential::Cookie),
            "{stale}"
        );
        // In separate headers, in one header that a proxy joined, and in both orders.
        for values in [[&*stale, &bearer], [&bearer, &*stale]] {
            let twice = values.iter().fold(RequestView::new("GET"), |it, value| {
                it.header("authorization", *value)
            });
            assert_eq!(accepted(jwt.authenticate(&twice).await).0, "eve", "{stale}");
            assert_eq!(
                accepted(ask(&jwt, "authorization", &values.join(", ")).await).0,
                "eve",
                "{stale}"
            );
        }
    }
    let many: Vec<_> = (0..9).map(|n| format!("t=a.b.{n}")).collect();
    assert_eq!(
        refused(ask(&jwt, "cookie", &many.join("; ")).await),
        "TooMany { limit: 8 }"
    );
    assert!(ask_bearer(&self::jwt(), "opaque").await.unwrap().is_none());
    let renewed = RequestView::with_bearer(&token()).clone();
    assert_eq!(
        accepted(jwt.authenticate(&renewed).await).1,
        Credential::Bearer
    );
}
