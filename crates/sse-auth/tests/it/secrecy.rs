//! Secrets are not shown.

use std::fmt::Debug;

use serde_json::json;
use sse_auth::{
    Algorithm, ApiKey, AuthError, Credential, DatabaseSessions, FirstOf, Identity, Jwks, Jwt, Key,
    NextAuth, RemoteJwks, RequestView, Tickets,
};

use crate::support::{SECRET, V4, ask_cookie, b64};

fn hidden(value: &impl Debug, secrets: &[&str]) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        for secret in secrets {
            let bytes = format!("{:?}", secret.as_bytes());
            assert!(
                !text.contains(secret) && !text.contains(bytes.trim_matches(['[', ']'])),
                "{text}"
            );
        }
    }
}

struct NoStore;

#[async_trait::async_trait]
impl sse_auth::SessionStore for NoStore {
    async fn find(&self, _: &str) -> Result<Option<sse_auth::StoredSession>, sse_auth::BoxError> {
        Ok(None)
    }
}

struct NoFetch;

#[async_trait::async_trait]
impl sse_auth::FetchJwks for NoFetch {
    async fn fetch(&self) -> Result<Vec<u8>, sse_auth::BoxError> {
        Err(SECRET.into())
    }
}

#[test]
fn debug_output_hides_secrets() {
    let encoded = b64(SECRET);
    let secrets = [SECRET, encoded.as_str()];
    let key = Key::secret(Algorithm::HS256, SECRET).unwrap();
    hidden(&key, &secrets);
    let set = Jwks::from_json(
        json!({ "keys": [{ "kty": "oct", "k": encoded, "kid": "k" }] }).to_string(),
    )
    .unwrap();
    hidden(&set, &secrets);
    let builder = Jwt::builder().key(key).jwks(set);
    hidden(&builder, &secrets);
    hidden(&builder.build().unwrap(), &secrets);
    let builder = NextAuth::builder().secret(SECRET);
    hidden(&builder, &secrets);
    hidden(&builder.build().unwrap(), &secrets);
    hidden(&ApiKey::new(SECRET).unwrap(), &secrets);
    hidden(&FirstOf::new().or(ApiKey::new(SECRET).unwrap()), &secrets);
    let tickets = Tickets::new();
    let ticket = tickets
        .issue(&Identity::new("ada", Credential::Bearer))
        .unwrap();
    hidden(&ticket, &[ticket.as_str()]);
    hidden(&tickets, &[ticket.as_str()]);
    hidden(
        &RequestView::new("GET")
            .query(SECRET)
            .header("authorization", SECRET),
        &secrets,
    );
    hidden(&DatabaseSessions::new(NoStore), &secrets);
    hidden(&RemoteJwks::new(NoFetch), &secrets);
    let claims: serde_json::Map<_, _> = [("accessToken".to_owned(), json!(SECRET))]
        .into_iter()
        .collect();
    hidden(
        &Identity::new("ada", Credential::Cookie).claims(claims.clone()),
        &secrets,
    );
    hidden(
        &sse_auth::StoredSession::new("ada").claims(claims),
        &secrets,
    );
    hidden(
        &Key::secret(Algorithm::RS256, SECRET).unwrap_err(),
        &secrets,
    );
}

#[tokio::test]
async fn errors_do_not_repeat_a_token() {
    let next_auth = NextAuth::builder().secret(SECRET).build().unwrap();
    let token = format!(
        "{}..x.x.x",
        b64(json!({ "alg": "dir", "enc": "A256GCM", "kid": "hunter2hunter2" }).to_string())
    );
    for token in [token.as_str(), "hunter2hunter2", "hunter2hunter2.a.b.c.d"] {
        let error = ask_cookie(&next_auth, V4, token).await.unwrap_err();
        hidden(&error, &["hunter2hunter2"]);
        assert!(!error.to_string().contains("hunter2"));
        assert!(!error.rejection().to_string().contains("hunter2"));
    }
    // The repeated parts of a request are short and escaped.
    let algorithm = "\n\u{1b}[31m".repeat(100);
    let token = format!("{}..x.x.x", b64(json!({ "alg": algorithm }).to_string()));
    let error = ask_cookie(&next_auth, V4, &token).await.unwrap_err();
    assert!(matches!(error, AuthError::Algorithm(_)));
    assert!(
        error.to_string().len() < 300 && !error.to_string().contains(['\n', '\u{1b}']),
        "{error}"
    );
}
