//! Configured mode: authentication, and who can connect and call.

use std::{fs, process::Command};

use serde_json::{Value, json};
use sse_testkit::{RawClient, RawRequest, Response, request};

use crate::{
    hub::{Hub, command, next},
    tokens::{BACKEND, SECRET, session, signed, token, unix},
};

/// Lifetime in seconds of a token that expires during the test. The time suffices to connect with
/// the token on a busy machine.
pub(crate) const SHORT: u64 = 10;

pub(crate) fn with_jwt(arguments: &[&str]) -> Command {
    let mut command = command();
    command.args([
        "--auth",
        "jwt",
        "--join",
        "news,orders/{sub}/*",
        "--auth-admin",
        "role=admin",
    ]);
    command
        .args(arguments)
        .env("JWT_SECRET", SECRET)
        .env("SSE_HUB_BACKEND_KEY", BACKEND);
    command
}

pub(crate) fn with_sessions(secret: &str, arguments: &[&str]) -> Command {
    let mut command = command();
    command
        .args(["--auth", "nextauth"])
        .args(arguments)
        .env("AUTH_SECRET", secret);
    command
}

pub(crate) fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

pub(crate) type Header<'a> = (&'a str, String);

impl Hub {
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[Header<'_>],
        body: &str,
    ) -> Response {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        request(self.address(), method, path, &headers, body)
            .await
            .unwrap()
    }

    /// Calls a mutation. Returns the status and the response.
    pub(crate) async fn call(
        &self,
        procedure: &str,
        headers: &[Header<'_>],
        input: Value,
    ) -> (u16, Value) {
        let headers = [&[("content-type", "application/json".to_owned())], headers].concat();
        let path = format!("/api/trpc/sse.{procedure}");
        let answer = self.ask("POST", &path, &headers, &input.to_string()).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    pub(crate) async fn connect(
        &self,
        query: &str,
        headers: &[Header<'_>],
    ) -> Result<(RawClient, Value), u16> {
        // Sends a request like curl, so that the hub rejects with a status.
        let path = format!("/api/sse?{query}");
        let request = RawRequest::new(self.address(), "GET", path).header("Accept", "*/*");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let mut stream = request.open().await.unwrap();
        match stream.head().await.unwrap().status {
            200 => {
                let (event_type, data) = next(&mut stream).await;
                assert_eq!(event_type, "connection");
                Ok((stream, data))
            }
            status => Err(status),
        }
    }
}

pub(crate) async fn refused(hub: &Hub, query: &str, headers: &[Header<'_>]) -> u16 {
    hub.connect(query, headers)
        .await
        .expect_err("it should be refused")
}

#[tokio::test]
async fn unauthenticated_callers_are_rejected() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    for (method, path) in [
        ("GET", "/api/sse"),
        ("HEAD", "/api/sse"),
        ("GET", "/api/sse?user=ada"),
        ("GET", "/api/sse?ticket=guessed"),
        ("GET", "/api/trpc/sse.getStats"),
        ("GET", "/api/trpc/sse.getConnections"),
        ("GET", "/api/trpc/sse.getStats?user=ada"),
        ("GET", "/metrics"),
    ] {
        let answer = hub.ask(method, path, &[], "").await;
        assert_eq!(answer.status, 401, "{method} {path}");
        assert!(answer.body.len() < 300, "{path}: {:?}", answer.text());
    }
    let input = json!({ "target": "all", "event": "x", "data": 1 });
    assert_eq!(hub.call("publish", &[], input).await.0, 401);
    for token in [
        signed(
            r#"{"alg":"none"}"#,
            &json!({ "sub": "ada", "exp": unix() + 60 }),
            SECRET,
        ),
        signed(
            r#"{"alg":"HS256"}"#,
            &json!({ "sub": "ada", "exp": unix() + 60 }),
            "another secret of the same great length",
        ),
        signed(
            r#"{"alg":"HS256"}"#,
            &json!({ "sub": "ada", "exp": unix() - 60 }),
            SECRET,
        ),
        signed(r#"{"alg":"HS256"}"#, &json!({ "exp": unix() + 60 }), SECRET),
        signed(r#"{"alg":"HS256"}"#, &json!({ "sub": "ada" }), SECRET),
        BACKEND[1..].to_owned(),
    ] {
        assert_eq!(refused(&hub, "", &[bearer(&token)]).await, 401, "{token}");
        assert_eq!(
            hub.call("sendInfo", &[bearer(&token)], json!({ "message": "m" }))
                .await
                .0,
            401,
            "{token}"
        );
    }
    let answer = hub.ask("GET", "/api/sse", &[], "").await;
    assert_eq!(answer.headers.get("www-authenticate"), Some("Bearer"));
    assert_eq!(answer.text().unwrap(), "not authenticated\n");
}

#[tokio::test]
async fn user_has_own_events_and_matching_topics() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let ada = [bearer(&token("ada", 600, &json!({})))];
    let (mut stream, hello) = hub.connect("topics=news,orders/ada/7", &ada).await.unwrap();
    assert_eq!(hello["userId"], "ada");
    assert_eq!(refused(&hub, "topics=orders/bob/7", &ada).await, 403);
    assert_eq!(refused(&hub, "topics=other", &ada).await, 403);
    let (id, join) = (
        &hello["clientId"],
        |topic: &str| json!({ "clientId": hello["clientId"], "topics": [topic] }),
    );
    assert_eq!(hub.call("join", &ada, join("orders/ada/8")).await.0, 200);
    assert_eq!(hub.call("join", &ada, join("orders/bob/8")).await.0, 403);
    let bob = [bearer(&token("bob", 600, &json!({})))];
    assert_eq!(
        hub.call("join", &bob, join("news")).await.0,
        403,
        "another's stream {id}"
    );

    assert_eq!(
        hub.call("sendInfo", &ada, json!({ "message": "to myself" }))
            .await
            .0,
        200
    );
    assert_eq!(next(&mut stream).await.1["message"], "to myself");
    for (procedure, input) in [
        ("sendInfo", json!({ "message": "m", "userId": "bob" })),
        ("broadcastNotification", json!({ "message": "m" })),
        (
            "publish",
            json!({ "target": "all", "event": "x", "data": 1 }),
        ),
        (
            "publish",
            json!({ "target": { "topic": "news" }, "event": "x", "data": 1 }),
        ),
        ("disconnect", json!({ "target": { "user": "ada" } })),
        ("createTicket", json!({ "userId": "bob" })),
    ] {
        assert_eq!(hub.call(procedure, &ada, input).await.0, 403, "{procedure}");
    }
    assert_eq!(
        hub.ask("GET", "/api/trpc/sse.getStats", &ada, "")
            .await
            .status,
        403
    );
    assert_eq!(hub.ask("GET", "/metrics", &ada, "").await.status, 403);
}

#[tokio::test]
async fn backends_and_admins_have_all_rights() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let (mut stream, _) = hub
        .connect("topics=news", &[bearer(&token("ada", 600, &json!({})))])
        .await
        .unwrap();
    for who in [
        bearer(BACKEND),
        bearer(&token("root", 600, &json!({ "role": ["editor", "admin"] }))),
    ] {
        let who = [who];
        let news = json!({ "target": { "topic": "news" }, "event": "x", "data": 1 });
        let answer = hub.call("publish", &who, news).await;
        assert_eq!(
            (answer.0, &answer.1["result"]["data"]["matched"]),
            (200, &json!(1))
        );
        assert_eq!(next(&mut stream).await.0, "x");
        assert_eq!(
            hub.ask("GET", "/api/trpc/sse.getStats", &who, "")
                .await
                .status,
            200
        );
        let metrics = hub.ask("GET", "/metrics", &who, "").await;
        assert!(
            metrics.text().unwrap().contains("sse_"),
            "{:?}",
            metrics.text()
        );
    }
    assert_eq!(
        hub.call("sendInfo", &[bearer(BACKEND)], json!({ "message": "m" }))
            .await
            .0,
        400,
        "a backend is not a user"
    );
}

#[tokio::test]
async fn sessions_of_a_site_identify_users() {
    for (version, label) in [
        ("v4", "v4 default salt"),
        ("v5", "v5 __Secure-authjs.session-token"),
    ] {
        let (secret, cookie, user) = session(version, label);
        let hub = Hub::spawn(with_sessions(
            &secret,
            &["--origins", "https://app.example.com"],
        ))
        .await;
        let cookie = ("cookie", format!("theme=dark; {cookie}"));
        let own = ("sec-fetch-site", "same-origin".to_owned());
        let (_stream, hello) = hub
            .connect("", &[cookie.clone(), own.clone()])
            .await
            .unwrap();
        assert_eq!(hello["userId"], json!(user), "{label}");
        assert_eq!(
            hub.call(
                "sendInfo",
                &[cookie.clone(), own],
                json!({ "message": "m" })
            )
            .await
            .0,
            200
        );

        // A page of another origin can make the browser send the cookie.
        let evil = ("origin", "https://evil.example.com".to_owned());
        assert_eq!(
            refused(&hub, "", &[cookie.clone(), evil.clone()]).await,
            403
        );
        assert_eq!(
            hub.call(
                "sendInfo",
                &[cookie.clone(), evil],
                json!({ "message": "m" })
            )
            .await
            .0,
            403
        );
        assert_eq!(
            hub.call(
                "sendInfo",
                std::slice::from_ref(&cookie),
                json!({ "message": "m" })
            )
            .await
            .0,
            403
        );
        let app = ("origin", "https://app.example.com".to_owned());
        assert!(hub.connect("", &[cookie.clone(), app]).await.is_ok());

        let other = Hub::spawn(with_sessions("another secret of great length", &[])).await;
        assert_eq!(refused(&other, "", &[cookie]).await, 401);
    }
}

#[tokio::test]
async fn stream_ends_with_its_token_unless_renewed() {
    let hub = Hub::spawn(with_jwt(&["--heartbeat-interval", "500ms"])).await;
    let (mut short, _) = hub
        .connect("", &[bearer(&token("ada", SHORT, &json!({})))])
        .await
        .unwrap();
    let (mut renewed, hello) = hub
        .connect("", &[bearer(&token("ada", SHORT, &json!({})))])
        .await
        .unwrap();
    let input = json!({ "clientId": hello["clientId"], "token": token("ada", 600, &json!({})) });
    assert_eq!(
        hub.call("renew", &[], input).await.0,
        200,
        "the token in the input suffices"
    );
    let strangers =
        json!({ "clientId": hello["clientId"], "token": token("bob", 600, &json!({})) });
    assert_eq!(hub.call("renew", &[], strangers).await.0, 403);
    let (_, end) = next(&mut short).await;
    assert_eq!(
        (&end["event"], &end["data"]["reconnect"]),
        (&json!("auth_expired"), &json!(true))
    );
    hub.call(
        "sendInfo",
        &[bearer(BACKEND)],
        json!({ "message": "still there", "userId": "ada" }),
    )
    .await;
    assert_eq!(next(&mut renewed).await.1["message"], "still there");
}

#[tokio::test]
async fn anonymous_callers_receive_public_events() {
    let hub = Hub::spawn(with_jwt(&[
        "--auth-anonymous",
        "--join-anonymously",
        "status/*",
    ]))
    .await;
    let (mut stream, hello) = hub.connect("topics=status/eu", &[]).await.unwrap();
    assert_eq!(hello["userId"], Value::Null);
    assert_eq!(refused(&hub, "topics=news", &[]).await, 403);
    assert_eq!(
        refused(&hub, "", &[bearer("bad")]).await,
        401,
        "invalid credentials are not anonymous"
    );
    assert_eq!(
        hub.call("sendInfo", &[], json!({ "message": "m", "userId": "ada" }))
            .await
            .0,
        401
    );
    assert_eq!(
        hub.call(
            "broadcastNotification",
            &[bearer(BACKEND)],
            json!({ "message": "all" })
        )
        .await
        .0,
        200
    );
    assert_eq!(next(&mut stream).await.1["message"], "all");

    // A hub with only a backend key, and everybody can listen.
    let mut command = command();
    command
        .args(["--auth-anonymous"])
        .env("SSE_HUB_BACKEND_KEY", BACKEND);
    let hub = Hub::spawn(command).await;
    assert!(hub.connect("", &[]).await.is_ok());
    assert_eq!(
        hub.call("broadcastNotification", &[], json!({ "message": "all" }))
            .await
            .0,
        401
    );
}

#[tokio::test]
async fn secrets_can_be_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (secret, key) = (
        write("secret", &format!("{SECRET}\n")),
        write("key", BACKEND),
    );
    let config = format!(
        "[access]\nauth = \"jwt\"\nauth_secret_file = [{secret:?}]\nbackend_key_file = {key:?}\njoin = [\"news\"]\n"
    );
    let mut command = command();
    command.arg("--config").arg(write("hub.toml", &config));
    let hub = Hub::spawn(command).await;
    assert!(
        hub.connect("topics=news", &[bearer(&token("ada", 60, &json!({})))])
            .await
            .is_ok()
    );
    assert_eq!(
        hub.ask("GET", "/metrics", &[bearer(BACKEND)], "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn hub_serves_tls_with_its_certificate() {
    let Some(curl) = sse_testkit::executable("curl").unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut command = with_jwt(&[]);
    command
        .arg("--tls-cert")
        .arg(&cert)
        .arg("--tls-key")
        .arg(&key);
    let hub = Hub::spawn(command).await;
    let port = hub.address().port();
    let output = Command::new(curl)
        .args([
            "-sS",
            "--noproxy",
            "*",
            "--resolve",
            &format!("localhost:{port}:127.0.0.1"),
            "--max-time",
            "20",
        ])
        .args(["-o", "-", "-w", " %{http_version} %{http_code}"])
        .arg("--cacert")
        .arg(&cert)
        .arg(format!("https://localhost:{port}/health/live"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.ends_with(" 2 200"),
        "{said:?} {:?}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Encodes `connectionParams` in a query, as tRPC's clients do.
pub(crate) fn params(params: &Value) -> String {
    let text: String = form_urlencoded::byte_serialize(params.to_string().as_bytes()).collect();
    format!("connectionParams={text}")
}
