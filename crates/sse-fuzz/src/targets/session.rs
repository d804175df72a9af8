//! A session cannot be created without the secret. `tests/it/properties.rs` of `sse-auth` tests the
//! same property.

use std::sync::LazyLock;

use sse_auth::{Authenticator, NextAuth, RequestView};

static NEXT_AUTH: LazyLock<NextAuth> = LazyLock::new(|| {
    NextAuth::builder()
        .secret("a secret that no fuzzer finds out")
        .build()
        .expect("a secret")
});

pub(crate) fn play(input: &[u8]) {
    for (name, prefix) in [
        ("authorization", "Bearer "),
        ("cookie", "next-auth.session-token="),
        ("cookie", "authjs.session-token="),
    ] {
        let value = [prefix.as_bytes(), input].concat();
        let answer =
            super::run(NEXT_AUTH.authenticate(&RequestView::new("GET").header(name, &value)));
        assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
    }
}
