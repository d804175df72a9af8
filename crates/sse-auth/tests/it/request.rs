//! The parts of a request that authentication reads.

use sse_auth::RequestView;

#[test]
fn names_have_any_case_and_values_any_bytes() {
    let headers: [(&str, &[u8]); 3] = [("X-A", b"1"), ("x-a", b"\xff\0"), ("x-b", b"")];
    let request = RequestView::new("PATCH").headers(headers);
    assert_eq!(request.method(), "PATCH");
    assert_eq!(
        request.header_values("x-A").collect::<Vec<_>>(),
        [b"1".as_slice(), b"\xff\0"]
    );
    assert_eq!(request.header_value("X-B").unwrap(), Some(b"".as_slice()));
    assert!(request.header_value("x-a").is_err());
    assert_eq!(request.header_value("x-c").unwrap(), None);
}

#[test]
fn parameters_are_decoded() {
    let request = RequestView::new("GET").query("a=1&b=x%20y+z&c&d=%ff&a=2&=e");
    assert_eq!(request.query_value("b").unwrap().unwrap(), "x y z");
    assert_eq!(request.query_value("c").unwrap().unwrap(), "");
    assert_eq!(request.query_value("d").unwrap().unwrap(), "\u{fffd}");
    assert!(request.query_value("a").is_err());
    assert_eq!(
        RequestView::new("GET")
            .query(None)
            .query_value("a")
            .unwrap(),
        None
    );
}

#[test]
fn bearer_tokens() {
    assert_eq!(
        RequestView::with_bearer("a.b").bearer_token().unwrap(),
        Some("a.b")
    );
    // A token from a body can contain any bytes.
    for bad in ["", " ", "a\r\nb", "a b", "ä", "a\0"] {
        assert!(
            RequestView::with_bearer(bad).bearer_token().is_err(),
            "{bad:?}"
        );
    }
    assert_eq!(RequestView::new("GET").bearer_token().unwrap(), None);
}

#[test]
fn repeated_values_are_errors() {
    let request = RequestView::new("GET")
        .query("a=1&b=2&a=3")
        .header("cookie", "a=1; b=2; c=3; c=3")
        .header("cookie", "a=4")
        .header("authorization", "Basic x")
        .header("authorization", "Bearer t")
        .header("host", "a.example");
    assert_eq!(request.query_values("a").collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!(request.cookie_values("a").collect::<Vec<_>>(), ["1", "4"]);
    assert_eq!(request.cookie("b").unwrap().as_deref(), Some("2"));
    assert_eq!(request.cookie("c").unwrap().as_deref(), Some("3"));
    assert!(request.cookie("a").is_err() && request.cookie("d").unwrap().is_none());
    assert_eq!(request.bearer_token().unwrap(), Some("t"));
    assert_eq!(request.requested_authority(), Some("a.example"));
    let request = request
        .header("host", "a.example")
        .header("authorization", "bearer t, Bearer t");
    assert_eq!(
        (
            request.bearer_token().unwrap(),
            request.requested_authority()
        ),
        (Some("t"), Some("a.example"))
    );
    let request = request
        .header("host", "b.example")
        .header("authorization", "Bearer u");
    assert!(request.bearer_token().is_err() && request.requested_authority().is_none());
    assert_eq!(
        request.authority("c.example").requested_authority(),
        Some("c.example")
    );
}
