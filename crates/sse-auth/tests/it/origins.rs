//! Sites that may use a browser's cookies.

use sse_auth::{Credential, CrossSite, Origins, OwnOrigin, PageOrigin, RequestView};

fn origins() -> Origins {
    Origins::new(["https://app.example.com", "http://localhost:3000"]).unwrap()
}

fn check(
    origins: &Origins,
    method: &str,
    headers: &[(&str, &str)],
    credential: Credential,
) -> Result<(), CrossSite> {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()));
    origins.check(&RequestView::new(method).headers(headers), credential)
}

const EVIL: (&str, &str) = ("Origin", "https://evil.example");
const APP: (&str, &str) = ("Origin", "https://app.example.com");
const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const SIBLING: (&str, &str) = ("Sec-Fetch-Site", "same-site");
const CROSS: (&str, &str) = ("Sec-Fetch-Site", "cross-site");
const NONE: (&str, &str) = ("Sec-Fetch-Site", "none");

#[test]
fn only_cookies_need_an_origin() {
    for credential in [Credential::Bearer, Credential::Ticket, Credential::Other] {
        assert_eq!(
            check(&Origins::none(), "POST", &[EVIL, CROSS], credential),
            Ok(())
        );
    }
}

#[test]
fn cookies_count_from_own_and_listed_pages() {
    let passing: [&[(&str, &str)]; 7] = [
        &[SAME],
        &[SAME, EVIL],
        &[NONE],
        &[APP],
        &[APP, SIBLING],
        &[APP, CROSS],
        &[("origin", "http://localhost:3000")],
    ];
    for headers in passing {
        for method in ["GET", "POST"] {
            assert_eq!(
                check(&origins(), method, headers, Credential::Cookie),
                Ok(()),
                "{headers:?}"
            );
        }
    }
}

#[test]
fn cookies_from_other_sites_are_rejected() {
    let evil = CrossSite::Origin("https://evil.example".to_owned());
    let refused: [(&[(&str, &str)], CrossSite); 9] = [
        (&[EVIL], evil.clone()),
        (&[EVIL, CROSS], evil.clone()),
        (&[EVIL, SIBLING], evil),
        (&[("Origin", "null")], CrossSite::NullOrigin),
        (&[("Origin", "null"), CROSS], CrossSite::NullOrigin),
        (&[SIBLING], CrossSite::OtherSite),
        (&[CROSS], CrossSite::OtherSite),
        (&[("Sec-Fetch-Site", "")], CrossSite::OtherSite),
        (&[APP, EVIL], CrossSite::Malformed("origin")),
    ];
    for (headers, error) in refused {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            assert_eq!(
                check(&origins(), method, headers, Credential::Cookie),
                Err(error.clone()),
                "{headers:?}"
            );
        }
    }
}

#[test]
fn similar_origins_are_other_sites() {
    for origin in [
        "https://app.example.com.evil.example",
        "https://app.example.com:444",
        "http://app.example.com",
        "https://APP.example.com",
        "https://app.example.com/",
        "https://x.app.example.com",
        "https://appxexample.com",
        " https://app.example.com",
        "*",
        "",
    ] {
        let answer = check(&origins(), "GET", &[("Origin", origin)], Credential::Cookie);
        assert!(matches!(answer, Err(CrossSite::Origin(_))), "{origin}");
        assert!(!origins().contains(origin));
    }
    let not_text = RequestView::new("GET").header("origin", b"https://\xff");
    assert_eq!(
        origins().check(&not_text, Credential::Cookie),
        Err(CrossSite::Malformed("origin"))
    );
    assert!(!origins().contains("null") && origins().contains("https://app.example.com"));
    assert_eq!(
        origins().iter().collect::<Vec<_>>(),
        ["https://app.example.com", "http://localhost:3000"]
    );
}

#[test]
fn old_browsers_can_read_but_not_write() {
    let strict = Origins::builder().strict().build();
    for method in ["GET", "HEAD"] {
        assert_eq!(check(&origins(), method, &[], Credential::Cookie), Ok(()));
        assert_eq!(
            check(&strict, method, &[], Credential::Cookie),
            Err(CrossSite::Unknown)
        );
    }
    for method in ["POST", "PUT", "get", ""] {
        assert_eq!(
            check(&origins(), method, &[], Credential::Cookie),
            Err(CrossSite::Unknown)
        );
    }
}

/// Browsers do not send `Sec-Fetch-Site` over plain HTTP.
#[test]
fn own_pages_are_known_by_their_origin() {
    let request =
        |scheme: Option<&str>, authority: Option<&'static str>, host: Option<&'static str>| {
            let request = RequestView::new("POST").authority(authority);
            let request = host
                .iter()
                .fold(request, |request, host| request.header("Host", *host));
            let own = scheme
                .and_then(|scheme| OwnOrigin::new(Some(scheme), request.requested_authority()?));
            request.served_as(own)
        };
    for (request, origin, is_own) in [
        (
            request(None, None, Some("10.0.0.5:8080")),
            "http://10.0.0.5:8080",
            true,
        ),
        (
            request(None, None, Some("app.example.com")),
            "https://app.example.com",
            true,
        ),
        (request(None, Some("app.lan"), None), "http://app.lan", true),
        (
            request(None, Some("app.lan"), Some("evil.example")),
            "http://app.lan",
            true,
        ),
        (
            request(None, Some("app.lan"), Some("evil.example")),
            "http://evil.example",
            false,
        ),
        (
            request(Some("http"), None, Some("app.lan")),
            "http://app.lan",
            true,
        ),
        (
            request(Some("http"), None, Some("app.lan")),
            "https://app.lan",
            false,
        ),
        (
            request(Some("https"), None, Some("app.lan")),
            "https://app.lan",
            true,
        ),
        (
            request(None, None, Some("app.lan")),
            "http://app.lan:8080",
            false,
        ),
        (
            request(None, None, Some("app.lan")),
            "http://evil.example",
            false,
        ),
        (request(None, None, Some("app.lan")), "null", false),
        (
            request(None, None, Some("u@app.lan")),
            "http://app.lan",
            false,
        ),
        (request(None, None, None), "http://app.lan", false),
        (request(None, None, Some("")), "http://", false),
    ] {
        let request = request.header("Origin", origin);
        assert_eq!(
            Origins::none().check(&request, Credential::Cookie).is_ok(),
            is_own,
            "{origin} {request:?}"
        );
        assert_eq!(
            Origins::none().check_page(&request).is_ok(),
            is_own,
            "{origin}"
        );
        // `Sec-Fetch-Site` takes precedence over the server's own origin.
        let sibling = request.header("Sec-Fetch-Site", "same-site");
        assert!(
            Origins::none().check(&sibling, Credential::Cookie).is_err(),
            "{origin}"
        );
    }
    let twice = RequestView::new("POST")
        .header("host", "a")
        .header("host", "b")
        .header("origin", "http://a");
    assert!(Origins::none().check_page(&twice).is_err());
    assert_eq!(
        Origins::none().check_page(&RequestView::new("POST")),
        Ok(PageOrigin::Unknown)
    );
}
