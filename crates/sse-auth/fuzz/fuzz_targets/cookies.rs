//! Whatever the headers hold: a session comes out only as it went in, and nothing panics. Also what else is read from a request.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sse_auth::{Authenticator, Credential, NextAuth, Origins, RequestView, redacted_query};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

static NEXT_AUTH: LazyLock<NextAuth> = LazyLock::new(|| {
    let builder = NextAuth::builder().secret("a secret that no fuzzer finds out").cookie_name("s");
    builder.build().expect("a secret")
});

fuzz_target!(|request: (&[u8], &[u8], &str)| {
    let (cookies, origin, query) = request;
    let view = RequestView::new("GET")
        .query(query)
        .header("cookie", cookies)
        .header("cookie", origin)
        .header("origin", origin);
    let answer = RUNTIME.block_on(NEXT_AUTH.authenticate(&view));
    assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
    if let Some(value) = view.cookie("s") {
        assert!(value.len() <= cookies.len().max(origin.len()));
    }
    let _ = view.query_value("ticket");
    assert!(Origins::none().check(&view, Credential::Cookie).is_err());
    let shown = redacted_query(query);
    assert_eq!(redacted_query(&shown), shown);
});
