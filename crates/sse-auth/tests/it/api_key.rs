//! Backends with a key.

use sse_auth::{ApiKey, Credential, Identity, KeyError};

use crate::support::{SECRET, ask, ask_bearer};

fn api_key() -> ApiKey {
    ApiKey::new(SECRET).unwrap().claim("role", "backend")
}

#[tokio::test]
async fn backend_has_claims_but_no_user() {
    let identity = ask_bearer(&api_key(), SECRET).await.unwrap().unwrap();
    let claims = [("role".to_owned(), "backend".into())]
        .into_iter()
        .collect();
    assert_eq!(
        identity,
        Identity::without_user(Credential::Bearer).claims(claims)
    );
}

#[tokio::test]
async fn other_tokens_are_left_to_others() {
    for token in [
        "x",
        &SECRET[1..],
        &format!("{SECRET}x"),
        &SECRET.to_uppercase(),
    ] {
        assert!(ask_bearer(&api_key(), token).await.unwrap().is_none());
    }
    assert!(
        ask(&api_key(), "authorization", &format!("Basic {SECRET}"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(ask(&api_key(), "authorization", "Bearer").await.is_err());
}

#[test]
fn guessable_keys_are_rejected() {
    assert!(matches!(
        ApiKey::new("0123456789abcdef"),
        Err(KeyError::TooShort {
            length: 16,
            least: 32
        })
    ));
    assert!(matches!(
        ApiKey::new(format!("{{{SECRET}")),
        Err(KeyError::NoSecretText)
    ));
    for bad in [
        format!("{SECRET}\n"),
        format!("{SECRET} x"),
        format!("{SECRET},x"),
        format!("{SECRET}ä"),
    ] {
        assert!(matches!(ApiKey::new(bad), Err(KeyError::NotSendable)));
    }
}
