//! Invalid sessions of NextAuth and Auth.js, and some valid ones.

use std::time::Duration;

use serde_json::{Value, json};
use sse_auth::{
    Authenticator as _, Credential, KeyError, ManualClock, NextAuth, NextAuthBuilder,
    NextAuthVersion, RequestView,
};

use crate::support::{
    NOW, SECRET, V4, V5, accepted, ask, ask_bearer, ask_cookie, b64, claims, claims_with, refused,
    v4, v5, v5_gcm, v5_kid,
};

/// The secret of another site.
pub(crate) const OTHER: &str = "another secret of a great length";

pub(crate) fn builder() -> NextAuthBuilder {
    NextAuth::builder()
        .secret(SECRET)
        .clock(ManualClock::at(NOW))
}

pub(crate) fn next_auth() -> NextAuth {
    builder().build().unwrap()
}

pub(crate) fn gcm() -> Value {
    json!({ "alg": "dir", "enc": "A256GCM" })
}

pub(crate) fn cbc() -> Value {
    json!({ "alg": "dir", "enc": "A256CBC-HS512" })
}

pub(crate) fn v4_session() -> String {
    v4(SECRET, &gcm(), claims().to_string())
}

pub(crate) fn v5_session() -> String {
    v5(SECRET, V5, &cbc(), claims().to_string())
}

/// A session with one member of its header changed.
fn with_header(name: &str, value: &Value) -> [String; 2] {
    let [mut gcm, mut cbc] = [gcm(), cbc()];
    gcm[name] = value.clone();
    cbc[name] = value.clone();
    [
        v4(SECRET, &gcm, claims().to_string()),
        v5(SECRET, V5, &cbc, claims().to_string()),
    ]
}

async fn refused_as(sessions: [String; 2], error: &str) {
    let [v4, v5] = sessions;
    assert_eq!(refused(ask_cookie(&next_auth(), V4, &v4).await), error);
    assert_eq!(refused(ask_cookie(&next_auth(), V5, &v5).await), error);
    assert_eq!(refused(ask_bearer(&next_auth(), &v5).await), error);
}

#[tokio::test]
async fn sessions_are_accepted_under_default_names() {
    for prefix in ["", "__Secure-", "__Host-"] {
        let (v4_name, v5_name) = (format!("{prefix}{V4}"), format!("{prefix}{V5}"));
        let user = ("ada".to_owned(), Credential::Cookie);
        assert_eq!(
            accepted(ask_cookie(&next_auth(), &v4_name, &v4_session()).await),
            user
        );
        let named =
            json!({ "alg": "dir", "enc": "A256CBC-HS512", "kid": v5_kid(SECRET, &v5_name) });
        for header in [&cbc(), &named] {
            let session = v5(SECRET, &v5_name, header, claims().to_string());
            assert_eq!(
                accepted(ask_cookie(&next_auth(), &v5_name, &session).await),
                user
            );
        }
        let early = v5_gcm(SECRET, &v5_name, &gcm(), claims().to_string());
        assert_eq!(
            accepted(ask_cookie(&next_auth(), &v5_name, &early).await),
            user
        );
    }
}

#[tokio::test]
async fn custom_names() {
    let custom = builder().cookie_name("__Host-site").build().unwrap();
    let session = v5(SECRET, "__Host-site", &cbc(), claims().to_string());
    assert_eq!(
        accepted(ask_cookie(&custom, "__Host-site", &session).await).0,
        "ada"
    );
    assert_eq!(
        accepted(ask_cookie(&custom, "__Host-site", &v4_session()).await).0,
        "ada"
    );
    // The default names no longer count, and neither do names with another prefix, suffix or case.
    for name in [V4, "__Host-sitee", "__host-site", "x__Host-site"] {
        assert!(
            ask_cookie(&custom, name, &v4_session())
                .await
                .unwrap()
                .is_none(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn one_version_alone() {
    let only_v5 = builder().version(NextAuthVersion::V5).build().unwrap();
    assert!(
        ask_cookie(&only_v5, V4, &v4_session())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        accepted(ask_cookie(&only_v5, V5, &v5_session()).await).0,
        "ada"
    );
    assert_eq!(
        refused(ask_bearer(&only_v5, &v4_session()).await),
        "Integrity"
    );
}

#[tokio::test]
async fn a_session_belongs_to_its_secret_and_its_cookie() {
    let stranger = NextAuth::builder()
        .secret(OTHER)
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    assert_eq!(
        refused(ask_cookie(&stranger, V4, &v4_session()).await),
        "Integrity"
    );
    assert_eq!(
        refused(ask_cookie(&stranger, V5, &v5_session()).await),
        "Integrity"
    );
    let elsewhere = format!("__Secure-{V5}");
    assert_eq!(
        refused(ask_cookie(&next_auth(), &elsewhere, &v5_session()).await),
        "Integrity"
    );
    let kid = json!({ "alg": "dir", "enc": "A256CBC-HS512", "kid": v5_kid(OTHER, V5) });
    let named = v5(OTHER, V5, &kid, claims().to_string());
    assert_eq!(
        refused(ask_cookie(&next_auth(), V5, &named).await),
        "UnknownKey"
    );
    // A false key id changes nothing.
    let kid = json!({ "alg": "dir", "enc": "A256CBC-HS512", "kid": v5_kid(SECRET, V5) });
    let liar = v5(OTHER, V5, &kid, claims().to_string());
    assert_eq!(
        refused(ask_cookie(&next_auth(), V5, &liar).await),
        "Integrity"
    );
}

#[tokio::test]
async fn secrets_are_rotated() {
    let rotated = NextAuth::builder()
        .secret(OTHER)
        .secret(SECRET)
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    let by_new = v5(OTHER, V5, &cbc(), claims().to_string());
    for (name, session) in [(V4, v4_session()), (V5, v5_session()), (V5, by_new)] {
        assert_eq!(
            accepted(ask_cookie(&rotated, name, &session).await).0,
            "ada"
        );
    }
}

#[tokio::test]
async fn other_algorithms_are_refused() {
    for algorithm in [
        "none",
        "A256KW",
        "RSA-OAEP",
        "ECDH-ES",
        "PBES2-HS256+A128KW",
        "DIR",
        "HS256",
    ] {
        refused_as(
            with_header("alg", &json!(algorithm)),
            &format!("Algorithm({algorithm:?})"),
        )
        .await;
    }
    for encryption in ["A128GCM", "A192GCM", "A128CBC-HS256", "none", "a256gcm"] {
        refused_as(
            with_header("enc", &json!(encryption)),
            &format!("Encryption({encryption:?})"),
        )
        .await;
    }
    // Each encryption has its own key, which does not fit the other encryption.
    let swapped = v4(SECRET, &cbc(), claims().to_string());
    assert_eq!(
        refused(ask_cookie(&next_auth(), V5, &swapped).await),
        r#"Malformed("IV or tag have the wrong length")"#
    );
    let v4_named_v5 = ask_cookie(&next_auth(), V4, &v5_session()).await;
    assert_eq!(refused(v4_named_v5), "UnknownKey");
}

#[tokio::test]
async fn extensions_are_refused() {
    for (name, value) in [
        ("zip", json!("DEF")),
        ("zip", json!(null)),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
    ] {
        refused_as(
            with_header(name, &value),
            &format!("HeaderParameter({name:?})"),
        )
        .await;
    }
}

#[tokio::test]
async fn headers_are_well_formed() {
    refused_as(
        with_header("alg", &json!(1)),
        r#"Malformed("a header parameter is not text")"#,
    )
    .await;
    refused_as(
        with_header("kid", &json!(["a"])),
        r#"Malformed("a header parameter is not text")"#,
    )
    .await;
    let parts: Vec<_> = v5_session().split('.').map(str::to_owned).collect();
    for (header, error) in [
        (b64("[]"), "the header is not a JSON object"),
        (b64(""), "the header is not a JSON object"),
        (b64("{\"alg\":\"dir\""), "the header is not a JSON object"),
        (b64("{}"), "the header has no `alg`"),
        (b64("{\"alg\":\"dir\"}"), "the header has no `enc`"),
        (b64(b"\xff"), "the header is not a JSON object"),
        (b64(b"\xef\xbb\xbf{}"), "the header is not a JSON object"),
        ("a+b/".to_owned(), "a part is not base64url"),
        (format!("{}=", parts[0]), "a part is not base64url"),
        (b64("[".repeat(40_000)), "the header is not a JSON object"),
    ] {
        let session = format!("{header}.{}", parts[1..].join("."));
        assert_eq!(
            refused(ask_cookie(&next_auth(), V5, &session).await),
            format!("Malformed({error:?})")
        );
    }
}

#[tokio::test]
async fn sessions_are_well_formed() {
    let [v4, v5] = [v4_session(), v5_session()];
    for session in [&v4, &v5] {
        let name = if *session == v4 { V4 } else { V5 };
        // A session that is cut off at any position is refused.
        for end in 1..session.len() {
            assert!(
                ask_cookie(&next_auth(), name, &session[..end])
                    .await
                    .is_err(),
                "{end}"
            );
        }
        for (bad, error) in [
            (
                format!("{session}.x"),
                r#"Malformed("an encrypted token has five parts")"#,
            ),
            (
                session.replacen("..", ".AAAA.", 1),
                r#"Malformed("a token for a shared key contains no encrypted key")"#,
            ),
            (
                "gar.bage".to_owned(),
                r#"Malformed("an encrypted token has five parts")"#,
            ),
            ("garbage".to_owned(), "OpaqueSession"),
            (
                "....".to_owned(),
                r#"Malformed("the header is not a JSON object")"#,
            ),
            ("a".repeat(65 * 1024), "TooLong { limit: 65536 }"),
        ] {
            assert_eq!(refused(ask_cookie(&next_auth(), name, &bad).await), error);
        }
        // Values that contain NUL and non-ASCII characters.
        for bad in [
            format!("{session}\0"),
            format!("{session}ä"),
            session.replace('.', "\u{ff0e}"),
        ] {
            assert!(ask_cookie(&next_auth(), name, &bad).await.is_err(), "{bad}");
        }
    }
}

#[tokio::test]
async fn lengths_of_iv_and_tag_are_checked() {
    for session in [v4_session(), v5_session()] {
        let parts: Vec<_> = session.split('.').collect();
        let name = if session == v4_session() { V4 } else { V5 };
        for (index, lengths) in [(2, [0, 11, 13, 15, 17]), (4, [0, 12, 15, 31, 33])] {
            for length in lengths {
                let mut altered: Vec<_> = parts.iter().map(|part| (*part).to_owned()).collect();
                altered[index] = b64(vec![0; length]);
                let error = refused(ask_cookie(&next_auth(), name, &altered.join(".")).await);
                assert_eq!(error, r#"Malformed("IV or tag have the wrong length")"#);
            }
        }
    }
    // A tag of half the length, like the truncated MACs of other formats.
    let parts: Vec<_> = v5_session().split('.').map(str::to_owned).collect();
    let odd = format!("{}..{}.{}.{}", parts[0], parts[2], b64([1; 17]), parts[4]);
    assert_eq!(
        refused(ask_cookie(&next_auth(), V5, &odd).await),
        "Integrity"
    );
    let empty = format!("{}..{}..{}", parts[0], parts[2], parts[4]);
    assert_eq!(
        refused(ask_cookie(&next_auth(), V5, &empty).await),
        "Integrity"
    );
}

#[tokio::test]
async fn times() {
    for (claim, value, error) in [
        (
            "exp",
            json!(NOW - 15),
            format!("Expired {{ at: {} }}", NOW - 15),
        ),
        ("exp", json!(-5), "Expired { at: 0 }".to_owned()),
        (
            "nbf",
            json!(NOW + 16),
            format!("NotYetValid {{ at: {} }}", NOW + 16),
        ),
        (
            "exp",
            json!("1"),
            r#"Claim { claim: "exp", problem: WrongType }"#.to_owned(),
        ),
        (
            "exp",
            json!(1e300),
            r#"Claim { claim: "exp", problem: OutOfRange }"#.to_owned(),
        ),
        (
            "exp",
            json!(NOW * 1000),
            r#"Claim { claim: "exp", problem: OutOfRange }"#.to_owned(),
        ),
        (
            "iat",
            json!("now"),
            r#"Claim { claim: "iat", problem: WrongType }"#.to_owned(),
        ),
    ] {
        let claims = claims_with(claim, value).to_string();
        refused_as(
            [v4(SECRET, &gcm(), &claims), v5(SECRET, V5, &cbc(), &claims)],
            &error,
        )
        .await;
    }
    let edge = v5(
        SECRET,
        V5,
        &cbc(),
        claims_with("exp", json!(NOW as f64 - 14.5)).to_string(),
    );
    let identity = ask_cookie(&next_auth(), V5, &edge).await.unwrap().unwrap();
    assert_eq!(identity.expires_at, Some(NOW - 15));
}

#[tokio::test]
async fn session_without_exp_is_accepted_by_default() {
    let session = v5(SECRET, V5, &cbc(), r#"{"sub":"ada"}"#);
    assert_eq!(
        ask_cookie(&next_auth(), V5, &session)
            .await
            .unwrap()
            .unwrap()
            .expires_at,
        None
    );
    let strict = builder().require_exp().build().unwrap();
    assert_eq!(
        refused(ask_cookie(&strict, V5, &session).await),
        r#"Claim { claim: "exp", problem: Missing }"#
    );
}

#[tokio::test]
async fn the_clock_moves() {
    let clock = ManualClock::at(NOW);
    let next_auth = NextAuth::builder()
        .secret(SECRET)
        .leeway(Duration::ZERO)
        .clock(clock.clone())
        .build()
        .unwrap();
    assert_eq!(
        accepted(ask_cookie(&next_auth, V4, &v4_session()).await).0,
        "ada"
    );
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        refused(ask_cookie(&next_auth, V4, &v4_session()).await),
        format!("Expired {{ at: {} }}", NOW + 60)
    );
}

#[tokio::test]
async fn content_is_claims_of_a_user() {
    for (content, error) in [
        ("", r#"Malformed("the claims are not a JSON object")"#),
        ("[]", r#"Malformed("the claims are not a JSON object")"#),
        (
            "{\"sub\":\"a\"} x",
            r#"Malformed("the claims are not a JSON object")"#,
        ),
        ("{}", "NoUser"),
        (
            r#"{"sub":""}"#,
            r#"Claim { claim: "sub", problem: WrongType }"#,
        ),
        (
            r#"{"sub":{"toString":1},"email":"a@b"}"#,
            r#"Claim { claim: "sub", problem: WrongType }"#,
        ),
    ] {
        refused_as(
            [v4(SECRET, &gcm(), content), v5(SECRET, V5, &cbc(), content)],
            error,
        )
        .await;
    }
    let session = v5(SECRET, V5, &cbc(), r#"{"id":7,"email":"a@b","ünï":"😀"}"#);
    let identity = ask_cookie(&next_auth(), V5, &session)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (identity.user.as_deref(), &identity.claims["ünï"]),
        (Some("7"), &json!("😀"))
    );
}

#[tokio::test]
async fn foreign_credentials_are_ignored() {
    assert!(
        next_auth()
            .authenticate(&RequestView::new("GET"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(ask_bearer(&next_auth(), "a.b.c").await.unwrap().is_none());
    assert!(
        ask(
            &next_auth(),
            "cookie",
            "next-auth.csrf-token=x; authjs.session-tokenx=y"
        )
        .await
        .unwrap()
        .is_none()
    );
}

#[tokio::test]
async fn opaque_ids_are_refused_or_passed_on() {
    let id = "8f7a1f9e-6f6b-4f0a-9b57-4c1d3a0c9d11";
    assert!(ask_cookie(&next_auth(), V5, id).await.is_err());
    let passing = builder().pass_opaque_ids().build().unwrap();
    assert!(ask_cookie(&passing, V5, id).await.unwrap().is_none());
    assert!(ask_cookie(&passing, V5, "a.b.c.d.e").await.is_err());
}

#[test]
fn invalid_configurations_are_rejected() {
    assert!(matches!(
        NextAuth::builder().build(),
        Err(KeyError::NoSecret)
    ));
    assert!(matches!(
        builder().secret("").build(),
        Err(KeyError::NoSecret)
    ));
    for length in [1, 8, 15] {
        let short = builder().secret("x".repeat(length)).build();
        assert!(
            matches!(short, Err(KeyError::TooShort { least: 16, .. })),
            "{length}"
        );
    }
    assert!(builder().secret("x".repeat(16)).build().is_ok());
    let many = (0..8).fold(builder(), |builder, _| builder.secret(OTHER));
    assert!(matches!(many.build(), Err(KeyError::TooMany { limit: 8 })));
    let many = (0..9).fold(builder(), |builder, n| builder.cookie_name(n.to_string()));
    assert!(matches!(many.build(), Err(KeyError::TooMany { limit: 8 })));
}
