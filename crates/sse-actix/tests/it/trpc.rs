//! The management API in Actix's own server.

use std::{net::TcpListener, time::Duration};

use actix_web::{App, HttpServer};
use sse_core::{Manager, access::AllowAll};
use sse_trpc::Management;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

#[actix_rt::test]
async fn missing_body_is_not_awaited() {
    let manager = Manager::builder().access(AllowAll).build().unwrap();
    let management = Management::new(manager).body_timeout(Duration::from_millis(50));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let app = move || App::new().service(sse_actix::trpc("/api/trpc", management.clone()));
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
    let handle = server.handle();
    actix_rt::spawn(server);
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/trpc/sse.sendInfo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(60), socket.read_to_string(&mut answer))
        .await
        .expect("a closed connection")
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains(r#""data":{"code":"TIMEOUT","httpStatus":408,"path":"sse.sendInfo"}"#),
        "{answer}"
    );
    handle.stop(false).await;
}
