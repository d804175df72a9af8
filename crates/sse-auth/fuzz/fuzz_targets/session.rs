//! Nobody who does not know the secret makes a session. The same property as in `tests/it/properties.rs`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sse_auth::{Authenticator, NextAuth, RequestView};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

static NEXT_AUTH: LazyLock<NextAuth> = LazyLock::new(|| {
    NextAuth::builder().secret("a secret that no fuzzer finds out").build().expect("a secret")
});

fuzz_target!(|token: &[u8]| {
    for (name, prefix) in [
        ("authorization", "Bearer "),
        ("cookie", "next-auth.session-token="),
        ("cookie", "authjs.session-token="),
    ] {
        let value = [prefix.as_bytes(), token].concat();
        let answer = RUNTIME.block_on(NEXT_AUTH.authenticate(&RequestView::new("GET").header(name, &value)));
        assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
    }
});
