//! Everything beside streams and management.

use crate::hub::{Hub, until};

#[tokio::test]
async fn the_page_is_one_file_without_anything_from_elsewhere() {
    let hub = Hub::start(&[]).await;
    let page = hub.request("GET", "/sse-demo").await;
    assert_eq!((page.status, page.headers.get("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.headers.get("content-security-policy").unwrap().contains("default-src 'none'"));
    let text = page.text().unwrap();
    assert!(text.starts_with("<!doctype html>") && text.contains("new EventSource("));
    for elsewhere in ["http://", "https://", "src=\"", "@import"] {
        assert!(!text.contains(elsewhere), "{elsewhere}");
    }
    let head = hub.request("HEAD", "/sse-demo").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn the_root_leads_to_the_page() {
    let hub = Hub::start(&[]).await;
    let response = hub.request("GET", "/").await;
    assert_eq!((response.status, response.headers.get("location")), (307, Some("/sse-demo")));
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
async fn what_is_not_there_is_not_found() {
    let hub = Hub::start(&[]).await;
    for path in [
        "/nothing",
        "/metrics/",
        "/sse/client.js",
        "/sse-demo/",
        "/api",
        "/api/sse/",
        "/api/sse/x",
        "/health",
    ] {
        assert_eq!(hub.request("GET", path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let hub = Hub::start(&[]).await;
    for path in ["/", "/sse-demo", "/favicon.ico", "/health/live", "/health/ready", "/metrics"] {
        let response = hub.request("POST", path).await;
        assert_eq!((response.status, response.headers.get("allow")), (405, Some("GET,HEAD")), "{path}");
    }
}

#[tokio::test]
async fn requests_are_logged_at_debug_without_secrets() {
    let hub = Hub::start(&["--log", "sse_hub=debug"]).await;
    hub.request("GET", "/nothing?user=alice&ticket=geheim&access_token=geheim").await;
    until(async || hub.0.output().contains("/nothing")).await;
    let output = hub.0.output();
    assert!(output.contains("user=alice&ticket=[redacted]&access_token=[redacted]"), "{output}");
    assert!(!output.contains("geheim"), "{output}");
}
