//! Tokens and sessions, signed in the way of a site.

use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::hmac;
use serde_json::{Value, json};

/// Secret of the tokens in tests.
pub(crate) const SECRET: &str = "a secret of these tests, long enough for HS256";

/// Key of the backend in tests.
pub(crate) const BACKEND: &str = "0123456789abcdef0123456789abcdef-backend";

const VECTORS: &str = include_str!("../../../sse-auth/tests/nextauth-vectors.json");

pub(crate) fn unix() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Creates a token of a user that expires in `seconds`, with additional claims.
pub(crate) fn token(user: &str, seconds: u64, more: &Value) -> String {
    let mut claims = json!({ "sub": user, "exp": unix() + seconds });
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    signed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims, SECRET)
}

pub(crate) fn signed(header: &str, claims: &Value, secret: &str) -> String {
    let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let text = format!("{}.{}", part(header), part(&claims.to_string()));
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        text.as_bytes(),
    );
    format!("{text}.{}", Base64UrlUnpadded::encode_string(tag.as_ref()))
}

/// Returns a session that the real library created: the site's secret, the header `Cookie`, and the
/// user.
pub(crate) fn session(version: &str, label: &str) -> (String, String, String) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let all = vectors[version].as_array().unwrap();
    let vector = all.iter().find(|vector| vector["label"] == label).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name = vector["cookie_names"]
        .get(1)
        .map_or_else(|| text(&vector["salt"]), text);
    (
        text(&vector["secret"]),
        format!("{name}={}", text(&vector["token"])),
        text(&vector["claims"]["sub"]),
    )
}
