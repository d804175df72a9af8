//! Sessions that the real libraries created. `tests/nextauth-vectors.json` itself documents the
//! method.

use serde_json::Value;
use sse_auth::{AuthError, Authenticator as _, NextAuth, NextAuthBuilder, RequestView};

use crate::support::{ask_bearer, ask_cookie};

fn vectors(version: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../nextauth-vectors.json")).unwrap();
    all[version].as_array().unwrap().clone()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().map(|text| text.as_str().unwrap()).collect(),
        _ => vec![],
    }
}

fn next_auth(vector: &Value) -> NextAuth {
    let given = texts(&vector["decode_with"]);
    let secrets = if given.is_empty() {
        texts(&vector["secret"])
    } else {
        given
    };
    // One vector has secrets of one letter, which do not match. They are too short for the builder,
    // so they are lengthened here.
    let long = |secret: &str| {
        if secret.len() < 16 {
            secret.repeat(16)
        } else {
            secret.to_owned()
        }
    };
    secrets
        .into_iter()
        .map(long)
        .fold(NextAuth::builder(), NextAuthBuilder::secret)
        .build()
        .unwrap()
}

/// Checks the expected result of a vector: its claims, or one error.
fn check(vector: &Value, answer: Result<Option<sse_auth::Identity>, AuthError>) {
    let (label, claims) = (&vector["label"], &vector["claims"]);
    match claims["error"].as_str() {
        None => {
            let identity = answer.unwrap().unwrap();
            assert_eq!(Value::Object(identity.claims), *claims, "{label}");
            assert_eq!(identity.user.as_deref(), claims["sub"].as_str(), "{label}");
            assert_eq!(identity.expires_at, claims["exp"].as_u64(), "{label}");
        }
        Some(error) if error.contains("timestamp") => {
            assert!(
                matches!(answer, Err(AuthError::Expired { .. })),
                "{label}: {answer:?}"
            );
        }
        Some("no matching decryption secret") => {
            assert!(
                matches!(answer, Err(AuthError::UnknownKey)),
                "{label}: {answer:?}"
            );
        }
        Some(error) => panic!("{label}: what is expected for {error:?}?"),
    }
}

#[tokio::test]
async fn version_4() {
    for vector in vectors("v4") {
        let next_auth = next_auth(&vector);
        for name in texts(&vector["cookie_names"]) {
            check(
                &vector,
                ask_cookie(&next_auth, name, vector["token"].as_str().unwrap()).await,
            );
        }
        check(
            &vector,
            ask_bearer(&next_auth, vector["token"].as_str().unwrap()).await,
        );
    }
}

#[tokio::test]
async fn version_5() {
    for vector in vectors("v5") {
        let next_auth = next_auth(&vector);
        let name = vector["salt"].as_str().unwrap();
        check(
            &vector,
            ask_cookie(&next_auth, name, vector["token"].as_str().unwrap()).await,
        );
        check(
            &vector,
            ask_bearer(&next_auth, vector["token"].as_str().unwrap()).await,
        );
    }
}

#[tokio::test]
async fn chunks() {
    let mut chunked = 0;
    for vector in [vectors("v4"), vectors("v5")].concat() {
        let Some(cookies) = vector["cookies"].as_array() else {
            continue;
        };
        let pairs = cookies.iter().map(|cookie| {
            format!(
                "{}={}",
                cookie["name"].as_str().unwrap(),
                cookie["value"].as_str().unwrap()
            )
        });
        let pairs: Vec<_> = pairs.collect();
        let backwards: Vec<_> = pairs.iter().rev().cloned().collect();
        let out_of_order = vector["cookie_header"].as_str().map(str::to_owned);
        for header in [
            Some(pairs.join("; ")),
            Some(backwards.join(";")),
            out_of_order,
        ]
        .into_iter()
        .flatten()
        {
            let request = RequestView::new("GET").header("Cookie", &header);
            check(&vector, next_auth(&vector).authenticate(&request).await);
            chunked += 1;
        }
    }
    assert_eq!(chunked, 5);
}
