//! Keys over HTTP, from a server in this process.

use std::time::Duration;

use serde_json::json;
use sse_auth::{HttpFetch, HttpFetchError, JwksError, Jwt, ManualClock, RemoteJwks};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::{Es256, NOW, accepted, ask_bearer, claims};

/// Starts a server that answers every request alike, and returns its address.
async fn serve(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                assert!(request[..length].starts_with(b"GET /jwks HTTP/1.1\r\n"));
                // The client may disconnect before the end of a body that is too long.
                _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}/jwks")
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn keys_are_fetched_over_http() {
    let key = Es256::new();
    let url = serve(ok(&json!({ "keys": [key.jwk("a")] }).to_string())).await;
    let keys = RemoteJwks::http(&url).unwrap();
    let jwt = Jwt::builder()
        .remote(keys)
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    assert_eq!(
        accepted(ask_bearer(&jwt, &key.sign("a", &claims())).await).0,
        "ada"
    );
}

#[tokio::test]
async fn other_answers_are_errors() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_owned();
    let broken = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{".to_owned();
    let lying = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n{}",
        "x".repeat(300 * 1024)
    );
    for answer in [
        "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_owned(),
        moved,
        broken,
        lying,
        "garbage\r\n\r\n".to_owned(),
    ] {
        let keys = RemoteJwks::http(&serve(answer.clone()).await).unwrap();
        let error = keys.load().await.unwrap_err();
        assert!(
            matches!(*error, JwksError::Fetch(_)),
            "{} {error:?}",
            &answer[..20.min(answer.len())]
        );
    }
    let keys = RemoteJwks::http(&serve(ok("{}")).await).unwrap();
    assert!(matches!(*keys.load().await.unwrap_err(), JwksError::Set(_)));
}

#[tokio::test]
async fn silent_server_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let keys = RemoteJwks::builder(HttpFetch::new(&url).unwrap())
        .timeout(Duration::from_millis(50))
        .build();
    assert!(matches!(
        *keys.load().await.unwrap_err(),
        JwksError::Timeout(_)
    ));
}

#[test]
fn keys_need_https_except_from_loopback() {
    for url in [
        "https://issuer.example/jwks",
        "http://localhost:1/x",
        "http://127.0.0.1/x",
        "http://[::1]:1/x",
    ] {
        assert!(HttpFetch::new(url).is_ok(), "{url}");
    }
    for url in [
        "http://issuer.example/jwks",
        "http://127.0.0.1.example/",
        "http://localhost.example/",
        "ftp://localhost/",
        "http://localhost@evil.example/",
    ] {
        assert!(
            matches!(HttpFetch::new(url), Err(HttpFetchError::NotHttps)),
            "{url}"
        );
    }
    for url in ["", "/jwks", "https://", "issuer example"] {
        assert!(
            matches!(HttpFetch::new(url), Err(HttpFetchError::Url)),
            "{url}"
        );
    }
}
