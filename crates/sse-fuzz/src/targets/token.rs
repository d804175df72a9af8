//! A token cannot be signed without the secret, and key texts are keys or errors.

use std::sync::LazyLock;

use sse_auth::{Algorithm, Authenticator, Jwks, Jwt, Key, RequestView};

static JWT: LazyLock<Jwt> = LazyLock::new(|| {
    let key =
        Key::secret(Algorithm::HS256, "a secret that no fuzzer finds out").expect("long enough");
    Jwt::builder().key(key).cookie("t").build().expect("a key")
});

pub(crate) fn play(input: &[u8]) {
    for (name, prefix) in [("authorization", "Bearer "), ("cookie", "t=")] {
        let value = [prefix.as_bytes(), input].concat();
        let answer = super::run(JWT.authenticate(&RequestView::new("GET").header(name, &value)));
        assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
    }
    let _ = Jwks::from_json(input);
    let _ = Key::pem(input);
}
