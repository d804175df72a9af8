//! The browser client, mounted.

use axum::Router;
use sse_testkit::request;
use tokio::net::TcpListener;

#[tokio::test]
async fn browser_files_are_served_with_an_etag() {
    let app = Router::new()
        .nest("/sse", sse_axum::browser())
        .nest("/{tenant}/x", sse_axum::browser());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(sse_axum::serve(listener, app).into_future());
    for path in ["/sse/client.js", "/acme/x/client.js"] {
        let answer = request(address, "GET", path, &[], "").await.unwrap();
        assert_eq!(
            (answer.status, answer.headers.get("content-type")),
            (200, Some("text/javascript; charset=utf-8"))
        );
        assert!(answer.text().unwrap().contains("createSSE"));
        let etag = answer.headers.get("etag").unwrap().to_owned();
        let known = [("if-none-match", "\"other\""), ("if-none-match", &*etag)];
        let answer = request(address, "GET", path, &known, "").await.unwrap();
        assert_eq!(
            (answer.status, answer.body.len(), answer.headers.get("etag")),
            (304, 0, Some(&*etag)),
            "two lines"
        );
        let head = request(address, "HEAD", path, &[], "").await.unwrap();
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert!(
            head.headers
                .get("content-length")
                .unwrap()
                .parse::<usize>()
                .unwrap()
                > 1000
        );
    }
    for (method, path, status) in [
        ("GET", "/sse/nothing.js", 404),
        ("GET", "/sse", 404),
        ("GET", "/sse/a/client.js", 404),
        ("POST", "/sse/client.js", 405),
    ] {
        assert_eq!(
            request(address, method, path, &[], "")
                .await
                .unwrap()
                .status,
            status,
            "{method} {path}"
        );
    }
}
