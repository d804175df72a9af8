//! For any query, cookies and other headers, the hub answers, and lets no unknown user in.
//!
//! The input is a request as text. It is sent to a hub in demo mode and to a hub with
//! authentication.

use std::{io::Write as _, net::SocketAddr, sync::LazyLock};

use axum::{Router, body::Body};
use futures_util::FutureExt as _;
use http::{Method, Request, Response};
use http_body::Body as _;
use serde::de::IgnoredAny;
use sse_axum::PeerAddr;
use sse_core::Manager;
use tempfile::NamedTempFile;
use tower::ServiceExt as _;

use crate::request::TextRequest;

/// A secret that no input contains.
const SECRET: &[u8] = b"0c2f8d51a7b94e63bd1f7c05e9a2684f13d07ab6";

/// Maximum number of frames that are read of a response.
const FRAMES: usize = 200;

struct Hub {
    routes: Router,
    manager: Manager,
}

struct Hubs {
    demo: Hub,
    configured: Hub,
    _secret: NamedTempFile,
}

static HUBS: LazyLock<Hubs> = LazyLock::new(|| {
    let mut secret = NamedTempFile::new().expect("a file for the secret");
    secret.write_all(SECRET).expect("the secret is written");
    let path = secret.path().to_str().expect("a path in UTF-8").to_owned();
    let authentication = [
        "--auth",
        "nextauth",
        "--auth-secret-file",
        &path,
        "--auth-cookie",
        "s",
    ];
    let rights = [
        "--join",
        "user/{sub}/*",
        "--publish",
        "user/{sub}/*",
        "--auth-admin",
        "role=admin",
    ];
    let surroundings = [
        "--origins",
        "https://a.example",
        "--trusted-proxies",
        "127.0.0.0/8",
    ];
    Hubs {
        // With `--demo`, the hub answers requests for any host name.
        demo: Hub::new(&["--demo"]),
        configured: Hub::new(&[&authentication[..], &rights, &surroundings].concat()),
        _secret: secret,
    }
});

pub(crate) fn play(input: &[u8]) {
    let Some(request) = TextRequest::parse(input) else {
        return;
    };
    super::run(async {
        HUBS.demo.judge(&request).await;
        let status = HUBS.configured.judge(&request).await;
        let is_protected = matches!(request.uri.path(), "/api/sse" | "/metrics");
        let is_asked = matches!(request.method, Method::GET | Method::HEAD);
        assert!(
            !(is_protected && is_asked && status < 300),
            "an unauthenticated request was accepted: {status}"
        );
    });
}

impl Hub {
    fn new(arguments: &[&str]) -> Self {
        let (routes, manager) =
            sse_hub::fuzzing::routes(arguments).expect("the settings are valid");
        Self { routes, manager }
    }

    /// Sends a request, reads the available part of the response, and returns its status.
    async fn judge(&self, request: &TextRequest) -> u16 {
        let response = self.routes.clone().oneshot(sent(request)).await;
        let response = response.unwrap_or_else(|never| match never {});
        let status = response.status().as_u16();
        assert!(status != 500 && (200..600).contains(&status), "{status}");
        judge_body(response);
        assert_eq!(self.manager.stats().total_connections, 0);
        status
    }
}

fn sent(request: &TextRequest) -> Request<Body> {
    let mut sent = Request::new(Body::from(request.body.clone()));
    *sent.method_mut() = request.method.clone();
    *sent.uri_mut() = request.uri.clone();
    *sent.headers_mut() = request.headers.clone();
    sent.extensions_mut()
        .insert(PeerAddr(SocketAddr::from(([127, 0, 0, 1], 1))));
    sent
}

/// Reads the available part of the body; JSON must be JSON.
fn judge_body(response: Response<Body>) {
    let is_json = response
        .headers()
        .get("content-type")
        .is_some_and(|it| it == "application/json");
    let mut body = Box::pin(response.into_body());
    let mut bytes = Vec::new();
    for _ in 0..FRAMES {
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).now_or_never();
        match frame {
            None => return,
            Some(None) => break,
            Some(Some(frame)) => {
                bytes.extend(
                    frame
                        .expect("a body does not fail")
                        .into_data()
                        .unwrap_or_default(),
                );
            }
        }
    }
    if is_json && !bytes.is_empty() {
        let mut lines = serde_json::Deserializer::from_slice(&bytes).into_iter::<IgnoredAny>();
        assert!(lines.all(|line| line.is_ok()), "an answer is JSON");
    }
}
