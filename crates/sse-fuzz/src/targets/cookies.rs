//! For any headers, a session without a valid signature is never accepted. Other parts of a request
//! are parsed as well.

use std::sync::LazyLock;

use sse_auth::{Authenticator, Credential, NextAuth, Origins, RequestView, redacted_query};

static NEXT_AUTH: LazyLock<NextAuth> = LazyLock::new(|| {
    let builder = NextAuth::builder()
        .secret("a secret that no fuzzer finds out")
        .cookie_name("s");
    builder.build().expect("a secret")
});

pub(crate) fn play(input: &[u8]) {
    let Some((cookies, origin, query)) = super::value::<(&[u8], &[u8], &str)>(input) else {
        return;
    };
    let view = RequestView::new("GET")
        .query(query)
        .header("cookie", cookies)
        .header("cookie", origin)
        .header("origin", origin);
    let answer = super::run(NEXT_AUTH.authenticate(&view));
    assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
    for value in view.cookie_values("s") {
        assert!(value.len() <= cookies.len().max(origin.len()));
    }
    let _ = view.cookie("s");
    let _ = view.query_value("ticket");
    assert!(Origins::none().check(&view, Credential::Cookie).is_err());
    let shown = redacted_query(query);
    assert_eq!(redacted_query(&shown), shown);
}
