//! Nobody who does not know the secret signs a token, and key texts are keys or errors.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sse_auth::{Algorithm, Authenticator, Jwks, Jwt, Key, RequestView};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

static JWT: LazyLock<Jwt> = LazyLock::new(|| {
    let key = Key::secret(Algorithm::HS256, "a secret that no fuzzer finds out").expect("long enough");
    Jwt::builder().key(key).cookie("t").build().expect("a key")
});

fuzz_target!(|token: &[u8]| {
    for (name, prefix) in [("authorization", "Bearer "), ("cookie", "t=")] {
        let value = [prefix.as_bytes(), token].concat();
        let answer = RUNTIME.block_on(JWT.authenticate(&RequestView::new("GET").header(name, &value)));
        assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
    }
    let _ = Jwks::from_json(token);
    let _ = Key::pem(token);
});
