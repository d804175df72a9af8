//! Mount points of the management API.

use std::time::Duration;

use axum::Router;
use sse_core::{Manager, access::AllowAll};
use sse_testkit::request;
use sse_trpc::Management;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[tokio::test]
async fn management_works_under_any_path_and_state() {
    let manager = Manager::builder().access(AllowAll).build().unwrap();
    let management = Management::new(manager);
    let stateful: Router<u32> = Router::new()
        .nest("/api/trpc", sse_axum::trpc(management.clone()))
        .nest("/v2/{tenant}/admin", sse_axum::trpc(management));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(sse_axum::serve(listener, stateful.with_state(7)).into_future());
    for (path, status) in [
        ("/api/trpc/sse.getStats", 200),
        ("/v2/acme/admin/sse.getStats", 200),
        ("/api/trpc", 404),
        ("/v2/acme/admin/sse.nothing", 404),
    ] {
        let answer = request(address, "GET", path, &[], "").await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(
            answer.headers.get("content-type"),
            Some("application/json"),
            "{path}"
        );
    }
    let elsewhere = request(address, "GET", "/api/trpcs", &[], "")
        .await
        .unwrap();
    assert_eq!((elsewhere.status, elsewhere.body.len()), (404, 0));
}

#[tokio::test]
async fn missing_body_is_not_awaited() {
    let manager = Manager::builder().access(AllowAll).build().unwrap();
    let management = Management::new(manager).body_timeout(Duration::from_millis(50));
    let router: Router = Router::new().nest("/api/trpc", sse_axum::trpc(management));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    tokio::spawn(sse_axum::serve(listener, router).into_future());
    let head = "POST /api/trpc/sse.sendInfo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(60), read)
        .await
        .expect("the connection is closed")
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains(r#""data":{"code":"TIMEOUT","httpStatus":408,"path":"sse.sendInfo"}"#),
        "{answer}"
    );
}
