//! The content of the log, and the behaviour if nobody reads the log.

use std::{
    fs::File,
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use sse_testkit::{RawRequest, request};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout},
    time::timeout,
};

use crate::{
    access::{bearer, with_jwt, with_sessions},
    hub::{Hub, TIMEOUT, command, until},
    tokens::{SECRET, token},
};

/// A hub whose standard error is chosen by the test.
struct Process {
    child: Child,
    address: SocketAddr,
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    async fn start(command: Command, stderr: impl Into<Stdio>) -> Self {
        let mut command = tokio::process::Command::from(command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(TIMEOUT, stdout.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        let address = line.trim().split_once("://").unwrap().1.parse().unwrap();
        Self {
            child,
            address,
            _stdout: stdout,
        }
    }

    fn terminate(&self) {
        let id = self.child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    async fn exit_code(&mut self) -> Option<i32> {
        timeout(TIMEOUT, self.child.wait())
            .await
            .unwrap()
            .unwrap()
            .code()
    }
}

#[tokio::test]
async fn unread_log_blocks_nothing() {
    let mut demo = command();
    demo.args(["--log", "trace"]);
    let mut guarded = with_jwt(&[
        "--log",
        "sse_hub=trace,sse_core=trace,sse_trpc=trace,sse_hyper=trace",
    ]);
    guarded.args(["--drain", "5"]);
    for (command, headers, query) in [
        (demo, vec![], "user=ada"),
        (guarded, vec![bearer(&token("ada", 600, &json!({})))], ""),
    ] {
        let mut hub = Process::start(command, Stdio::piped()).await;
        let open = RawRequest::get(hub.address, format!("/api/sse?{query}"));
        let open = headers
            .iter()
            .fold(open, |request, (name, value)| request.header(name, value));
        let mut stream = open.open().await.unwrap();
        assert_eq!(
            stream.next_event_within(TIMEOUT).await.unwrap().event_type,
            "connection"
        );
        // Far more text than fits into a pipe, at every level that strangers can cause.
        for number in 0..3000 {
            let forged = format!("Bearer made.up.{number}");
            let path = format!("/api/trpc/sse.getStats?{query}&number={number}");
            let headers = [("authorization", forged.as_str())];
            let asking = request(hub.address, "GET", &path, &headers, "");
            let answer = timeout(TIMEOUT, asking)
                .await
                .expect("the hub responds within the timeout")
                .unwrap();
            assert!(matches!(answer.status, 200 | 401), "{}", answer.status);
        }
        let mut send: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        send.push(("content-type", "application/json"));
        let path = format!("/api/trpc/sse.sendInfo?{query}");
        let sent = request(hub.address, "POST", &path, &send, r#"{"message":"m"}"#)
            .await
            .unwrap();
        assert_eq!(sent.status, 200);
        assert_eq!(
            stream.next_event_within(TIMEOUT).await.unwrap().event_type,
            "notification"
        );
        hub.terminate();
        assert_eq!(
            stream.next_event_within(TIMEOUT).await.unwrap().event_type,
            "system"
        );
        stream.expect_end().await.unwrap();
        assert_eq!(hub.exit_code().await, Some(0));
    }
}

#[tokio::test]
async fn late_reader_receives_the_drop_count() {
    let mut command = command();
    command.args(["--log", "debug"]);
    let mut hub = Process::start(command, Stdio::piped()).await;
    let mut pipe = hub.child.stderr.take().unwrap();
    for number in 0..9000 {
        let path = format!("/api/trpc/sse.getStats?user=ada&number={number}");
        assert_eq!(
            request(hub.address, "GET", &path, &[], "")
                .await
                .unwrap()
                .status,
            200
        );
    }
    let mut text = String::new();
    let reading = async {
        let mut buffer = vec![0; 1 << 16];
        while !text.contains("messages were dropped") {
            let read = pipe.read(&mut buffer).await.unwrap();
            assert!(read > 0, "the log ended early");
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    };
    timeout(TIMEOUT, reading)
        .await
        .expect("the reader receives the drop count");
    let line = text
        .lines()
        .find(|line| line.contains("messages were dropped"))
        .unwrap();
    assert!(
        line.split(' ').next().unwrap().parse::<u64>().unwrap() > 0,
        "{line}"
    );
}

#[tokio::test]
async fn rejections_are_logged_with_a_throttle() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let secret = secret("forged");
    for _ in 0..50 {
        for token in [format!("a.b.{secret}"), secret.clone()] {
            let answer = hub.ask("GET", "/api/sse", &[bearer(&token)], "").await;
            assert_eq!(
                (answer.status, answer.text().unwrap()),
                (401, "not authenticated\n")
            );
        }
    }
    let ada = [bearer(&token("ada", 600, &json!({})))];
    for _ in 0..50 {
        assert_eq!(
            hub.ask("GET", "/api/sse?topics=secret-plans", &ada, "")
                .await
                .status,
            403
        );
        assert_eq!(
            hub.call("broadcastNotification", &ada, json!({ "message": "m" }))
                .await
                .0,
            403
        );
    }
    until(async || hub.0.output().contains("sse.broadcastNotification")).await;
    let log = hub.0.output();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("sse_hub::auth"))
        .collect();
    assert!((4..20).contains(&lines.len()), "{log}");
    assert!(lines.iter().all(|line| line.contains("cause=")
        && line.contains("remedy=")
        && line.contains("127.0.0.1")));
    for said in [
        "neither the backend key",
        "secret-plans",
        "--join",
        "--auth-admin",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains(&secret), "{log}");

    let hub = Hub::spawn(with_jwt(&["--log", "sse_hub=debug"])).await;
    for _ in 0..20 {
        hub.ask("GET", "/api/sse", &[bearer("opaque")], "").await;
    }
    let refused = |log: &str| {
        log.lines()
            .filter(|line| line.contains("neither the backend key"))
            .count()
    };
    until(async || refused(&hub.0.output()) == 20).await;
}

/// Returns a text that the log contains only if the hub logged it.
fn secret(name: &str) -> String {
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    format!("hunter{nanos:x}{name}")
}

#[tokio::test]
async fn log_never_contains_secrets_of_requests() {
    const MARK: &str = "hunter";
    let folder = tempfile::tempdir().unwrap();
    let nextauth = with_sessions("a secret of the site, long enough", &["--log", "trace"]);
    let mut demo = command();
    demo.args(["--log", "trace"]);
    let jwt = with_jwt(&["--log", "trace", "--auth-cookie", "s"]);
    for (name, command) in [("nextauth", nextauth), ("demo", demo), ("jwt", jwt)] {
        let path = folder.path().join(name);
        let mut hub = Process::start(command, File::create(&path).unwrap()).await;
        for (method, target) in targets() {
            for (header, value) in headers() {
                let mut asked =
                    RawRequest::new(hub.address, &method, &target).header("connection", "close");
                asked = asked
                    .header(header, value)
                    .header("content-type", "application/json");
                let body =
                    json!({ "clientId": "0".repeat(32), "token": secret("body") }).to_string();
                // A stream stays open, and its head suffices.
                if let Ok(mut answer) = asked.body(&body).send().await {
                    _ = timeout(Duration::from_millis(300), answer.head()).await;
                }
            }
        }
        over_http_2(hub.address).await;
        hub.terminate();
        assert_eq!(hub.exit_code().await, Some(0));
        let log = std::fs::read_to_string(&path).unwrap();
        assert!(
            log.contains("DEBUG") && log.contains("handled a request"),
            "{name}: {log}"
        );
        let shown: Vec<_> = log.lines().filter(|line| line.contains(MARK)).collect();
        assert!(shown.is_empty(), "{name}: {shown:#?}");
        assert!(!log.contains(SECRET));
    }
}

/// Returns methods and targets, each of which contains a secret.
fn targets() -> Vec<(String, String)> {
    let mut targets = vec![(secret("method"), "/api/sse".to_owned())];
    for path in [
        "/api/sse",
        "/api/sse?",
        "/api/sse?topics=news&",
        "/api/sse?ticket=",
        "/api/sse?session_token=",
        "/api/sse?api_key=",
        "/api/sse?TICKET=",
        "/api/sse?%74icket=",
        "/api/sse?lastEventId=",
        "/api/sse?last=",
        "/api/sse?batch=1&since=",
        "/api/sse?a=b;ticket=",
        "/api/sse;ticket=",
        "/api/sse/",
        "/api/trpc/sse.events?connectionParams=",
        "/api/trpc/sse.renew?input=%7B%22token%22:%22",
        "/api/trpc/sse.renew,sse.",
        "/api/trpc/",
        "/metrics?key=",
        "/health/live?key=",
        "/sse/",
        "/sse-demo/",
        "/",
    ] {
        targets.push(("GET".to_owned(), format!("{path}{}", secret("target"))));
    }
    targets.push((
        "POST".to_owned(),
        format!("/api/trpc/sse.renew?x={}", secret("query")),
    ));
    targets.push((
        "POST".to_owned(),
        format!("/api/trpc/sse.sendInfo?input={}", secret("input")),
    ));
    targets
}

fn headers() -> Vec<(&'static str, String)> {
    let name = |text: &str| format!("{text}{}", secret("header"));
    vec![
        ("authorization", name("Bearer ")),
        ("authorization", name("Bearer a.b.")),
        ("authorization", name("Basic ")),
        ("cookie", name("authjs.session-token=")),
        (
            "cookie",
            name("next-auth.session-token=eyJhbGciOiJkaXIifQ.a.b.c."),
        ),
        ("cookie", name("s=a.b.")),
        ("x-api-key", name("")),
        ("x-forwarded-for", name("")),
        ("last-event-id", name("")),
        ("accept", name("text/")),
        ("referer", name("https://a.example/")),
        ("trpc-accept", name("")),
    ]
}

async fn over_http_2(address: SocketAddr) {
    let Some(curl) = sse_testkit::executable("curl").unwrap() else {
        return;
    };
    let urls: Vec<_> = targets()
        .into_iter()
        .map(|(_, path)| format!("http://{address}{path}"))
        .collect();
    let headers = headers()
        .into_iter()
        .flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]);
    let mut asking = tokio::process::Command::new(curl);
    asking.args([
        "-sS",
        "--noproxy",
        "*",
        "--http2-prior-knowledge",
        "--max-time",
        "10",
        "-o",
        "/dev/null",
    ]);
    asking
        .args(headers)
        .args(urls)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    // curl rejects some of the requests, and HTTP/2 rejects others.
    _ = timeout(Duration::from_secs(60), asking.status()).await;
}
