//! All routes except streams and management.

use sse_testkit::request;

use crate::hub::{Hub, until};

#[tokio::test]
async fn page_has_no_foreign_or_inline_code() {
    let hub = Hub::start(&[]).await;
    let page = hub.request("GET", "/sse-demo").await;
    assert_eq!(
        (page.status, page.headers.get("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    let policy = page.headers.get("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = page.text().unwrap();
    assert!(text.starts_with("<!doctype html>"));
    for elsewhere in [
        "http://", "https://", "src=\"//", "@import", "<style", "style=", "onclick=",
    ] {
        assert!(!text.contains(elsewhere), "{elsewhere}");
    }
    let head = hub.request("HEAD", "/sse-demo").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn every_file_of_the_page_is_served() {
    let hub = Hub::start(&[]).await;
    let mut paths = vec!["/sse-demo".to_owned()];
    for place in 0.. {
        let Some(path) = paths.get(place).cloned() else {
            break;
        };
        let file = hub.request("GET", &path).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.headers.get("etag").is_some(), "{path}");
        let text = file.text().unwrap();
        for name in text
            .split('"')
            .filter(|name| name.starts_with("./") || name.starts_with("/sse"))
        {
            let folder = path.rsplit_once('/').unwrap().0;
            let name = name
                .strip_prefix('.')
                .map_or(name.to_owned(), |name| format!("{folder}{name}"));
            let is_file = [".js", ".css", ".svg"]
                .iter()
                .any(|ending| name.ends_with(ending));
            if is_file && !name.ends_with("/types.js") && !paths.contains(&name) {
                paths.push(name);
            }
        }
    }
    assert!(paths.len() > 20, "{paths:?}");
}

#[tokio::test]
async fn the_browser_client_is_served() {
    let hub = Hub::start(&[]).await;
    for (path, content_type) in [
        ("/sse/client.js", "text/javascript; charset=utf-8"),
        ("/sse/react.js", "text/javascript; charset=utf-8"),
        ("/sse/app-router.d.ts", "text/plain; charset=utf-8"),
    ] {
        let file = hub.request("GET", path).await;
        assert_eq!(
            (file.status, file.headers.get("content-type")),
            (200, Some(content_type)),
            "{path}"
        );
        let etag = file.headers.get("etag").unwrap();
        let again = request(hub.address(), "GET", path, &[("if-none-match", etag)], "")
            .await
            .unwrap();
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
}

#[tokio::test]
async fn root_redirects_to_the_page() {
    let hub = Hub::start(&[]).await;
    let response = hub.request("GET", "/").await;
    assert_eq!(
        (response.status, response.headers.get("location")),
        (307, Some("/sse-demo"))
    );
}

#[tokio::test]
async fn it_is_healthy() {
    let hub = Hub::start(&[]).await;
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(hub.request("GET", path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn there_is_no_icon() {
    let hub = Hub::start(&[]).await;
    let icon = hub.request("GET", "/favicon.ico").await;
    assert_eq!((icon.status, icon.body.len()), (204, 0));
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let hub = Hub::start(&[]).await;
    for path in [
        "/nothing",
        "/metrics/",
        "/sse",
        "/sse/nothing.js",
        "/sse-demo/",
        "/sse-demo/nothing.js",
        "/api",
        "/api/sse/",
        "/api/sse/x",
        "/health",
    ] {
        assert_eq!(hub.request("GET", path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn wrong_methods_receive_an_allow_header() {
    let hub = Hub::start(&[]).await;
    for path in [
        "/",
        "/sse-demo",
        "/sse/client.js",
        "/favicon.ico",
        "/health/live",
        "/health/ready",
        "/metrics",
    ] {
        let response = hub.request("POST", path).await;
        assert_eq!(
            (response.status, response.headers.get("allow")),
            (405, Some("GET,HEAD")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn requests_are_logged_at_debug_without_secrets() {
    let hub = Hub::start(&["--log", "sse_hub=debug"]).await;
    hub.request(
        "GET",
        "/api/geheim?topics=news&user=alice&ticket=geheim&session_token=geheim",
    )
    .await;
    until(async || hub.0.output().contains("/api/…")).await;
    let output = hub.0.output();
    assert!(
        output.contains("query=topics=news&…&ticket=…&…"),
        "{output}"
    );
    assert!(!output.contains("geheim"), "{output}");
}
