//! Pages of other sites, and foreign host names that resolve to the hub.

use serde_json::json;

use crate::{
    access::{Header, with_jwt},
    hub::{Hub, command, until},
    tokens::token,
};

fn header(name: &'static str, value: &str) -> Header<'static> {
    (name, value.to_owned())
}

/// Returns the status of a call with a cookie, or without a cookie in demo mode.
async fn call(hub: &Hub, headers: &[Header<'_>]) -> u16 {
    let headers = [headers, &[header("content-type", "application/json")]].concat();
    let input = json!({ "message": "m", "userId": "ada" }).to_string();
    hub.ask("POST", "/api/trpc/sse.sendInfo", &headers, &input)
        .await
        .status
}

/// Browsers send no `Sec-Fetch-Site` over plain HTTP, except to localhost.
#[tokio::test]
async fn own_pages_can_call_over_plain_http() {
    let ada = header("cookie", &format!("s={}", token("ada", 600, &json!({}))));
    let alone = Hub::spawn(with_jwt(&[
        "--auth-cookie",
        "s",
        "--log",
        "sse_hub::auth=debug",
    ]))
    .await;
    let behind = Hub::spawn(with_jwt(&[
        "--auth-cookie",
        "s",
        "--trusted-proxies",
        "127.0.0.1",
    ]))
    .await;
    let standard = [
        "--auth-cookie",
        "s",
        "--trusted-proxies",
        "127.0.0.1",
        "--proxy-header",
        "forwarded",
    ];
    let standard = Hub::spawn(with_jwt(&standard)).await;
    let (host, proto) = (
        header("x-forwarded-host", "app.example.com"),
        header("x-forwarded-proto", "https"),
    );
    let forwarded = header("forwarded", "for=1.2.3.4;host=app.example.com;proto=https");
    for (hub, headers, status) in [
        (
            &alone,
            vec![
                header("host", "hub.lan:8080"),
                header("origin", "http://hub.lan:8080"),
            ],
            200,
        ),
        (
            &alone,
            vec![
                header("host", "HUB.lan:80"),
                header("origin", "http://hub.lan"),
            ],
            200,
        ),
        (
            &alone,
            vec![
                header("host", "10.0.0.5"),
                header("origin", "http://10.0.0.5"),
            ],
            200,
        ),
        (
            &alone,
            vec![
                header("host", "[FD00::1]:8080"),
                header("origin", "http://[fd00::1]:8080"),
            ],
            200,
        ),
        (
            &alone,
            vec![
                header("host", "hub.lan"),
                header("origin", "http://hub.lan:8080"),
            ],
            403,
        ),
        (
            &alone,
            vec![
                header("host", "hub.lan"),
                header("origin", "https://hub.lan"),
            ],
            403,
        ),
        (
            &alone,
            vec![
                header("host", "hub.lan"),
                header("origin", "http://hub.lan."),
            ],
            403,
        ),
        (
            &alone,
            vec![
                header("host", "hub.lan"),
                header("origin", "http://x.hub.lan"),
            ],
            403,
        ),
        (
            &alone,
            vec![
                header("host", "hub.lan"),
                header("origin", "http://u@hub.lan"),
            ],
            403,
        ),
        (
            &alone,
            vec![
                header("host", "u@hub.lan"),
                header("origin", "http://hub.lan"),
            ],
            403,
        ),
        (
            &alone,
            vec![header("host", "hub.lan"), header("origin", "null")],
            403,
        ),
        (
            &alone,
            vec![header("host", "hub.lan"), header("origin", "")],
            403,
        ),
        (&alone, vec![header("host", "hub.lan")], 403),
        (
            &alone,
            vec![
                header("host", "hub.lan"),
                header("host", "evil"),
                header("origin", "http://evil"),
            ],
            403,
        ),
        (
            &alone,
            vec![
                header("host", "hub.lan"),
                host.clone(),
                proto.clone(),
                header("origin", "https://app.example.com"),
            ],
            403,
        ),
        (
            &alone,
            vec![
                header("host", "hub.lan"),
                header("origin", "http://hub.lan"),
                header("sec-fetch-site", "same-site"),
            ],
            403,
        ),
        (
            &behind,
            vec![
                header("host", "hub:1"),
                host.clone(),
                proto.clone(),
                header("origin", "https://app.example.com"),
            ],
            200,
        ),
        (
            &behind,
            vec![
                header("host", "app.example.com"),
                proto.clone(),
                header("origin", "https://app.example.com"),
            ],
            200,
        ),
        (
            &behind,
            vec![
                header("host", "hub:1"),
                host.clone(),
                header("origin", "http://app.example.com"),
            ],
            200,
        ),
        (
            &behind,
            vec![
                header("host", "hub:1"),
                host.clone(),
                header("origin", "https://app.example.com"),
            ],
            403,
        ),
        (
            &behind,
            vec![
                header("host", "hub:1"),
                host.clone(),
                proto,
                header("origin", "http://hub:1"),
            ],
            403,
        ),
        (
            &behind,
            vec![
                header("x-forwarded-host", "evil.example"),
                host,
                header("host", "hub:1"),
                header("origin", "http://evil.example"),
            ],
            403,
        ),
        (
            &behind,
            vec![
                header("host", "hub:1"),
                forwarded.clone(),
                header("origin", "https://app.example.com"),
            ],
            403,
        ),
        (
            &standard,
            vec![
                header("host", "hub:1"),
                forwarded,
                header("origin", "https://app.example.com"),
            ],
            200,
        ),
    ] {
        let headers = [vec![ada.clone()], headers].concat();
        assert_eq!(call(hub, &headers).await, status, "{:?}", &headers[1..]);
    }
    // The response tells the author of the page what to do, and the log tells the operator.
    let evil = [ada, header("origin", "https://evil.example")];
    let answer = alone.ask("GET", "/api/sse", &evil, "").await;
    let text = answer.text().unwrap().to_owned();
    assert!(
        text.contains("\"https://evil.example\"") && text.contains("--origins"),
        "{text}"
    );
    until(async || alone.0.output().contains("evil.example")).await;
    let log = alone.0.output();
    assert!(
        log.contains("sse_hub::auth") && log.contains("--origins"),
        "{log}"
    );
}

const DEMO: [&str; 3] = ["/api/sse?user=ada", "/api/trpc/sse.getStats", "/metrics"];

#[tokio::test]
async fn demo_hub_accepts_names_of_this_machine() {
    let hub = Hub::start(&["--log", "info"]).await;
    let port = hub.address().port();
    let status = async |hub: &Hub, path: &str, host: &str| {
        let request = sse_testkit::RawRequest::get(hub.address(), path).header("host", host);
        request.open().await.unwrap().head().await.unwrap().status
    };
    for path in ["/", "/sse-demo", "/sse/client.js"].into_iter().chain(DEMO) {
        for host in [
            format!("localhost:{port}"),
            "LOCALHOST".to_owned(),
            "a.localhost".to_owned(),
            format!("[::1]:{port}"),
            "127.9.9.9".to_owned(),
        ] {
            assert!(status(&hub, path, &host).await < 400, "{path} {host}");
        }
        for host in [
            format!("evil.example:{port}"),
            "localhost.evil.example".to_owned(),
            "127.0.0.1.nip.io".to_owned(),
            "10.0.0.5".to_owned(),
            String::new(),
        ] {
            assert_eq!(status(&hub, path, &host).await, 421, "{path} {host}");
        }
    }
    assert_eq!(
        status(&hub, "/health/live", "10.0.0.5").await,
        200,
        "load balancers use addresses"
    );
    let answer = hub
        .ask(
            "GET",
            "/api/trpc/sse.getStats",
            &[header("host", "evil.example")],
            "",
        )
        .await;
    assert!(
        answer.text().unwrap().contains("--hosts"),
        "{:?}",
        answer.text()
    );
    until(async || hub.0.output().contains("evil.example")).await;

    let named = Hub::start(&["--hosts", "hub.test,10.0.0.5"]).await;
    for (host, expected) in [
        ("hub.test:1", 200),
        ("10.0.0.5", 200),
        ("localhost", 200),
        ("evil.example", 421),
    ] {
        assert_eq!(status(&named, DEMO[1], host).await, expected, "{host}");
    }
    let open = Hub::start(&["--demo"]).await;
    assert_eq!(status(&open, DEMO[1], "whatever.example").await, 200);
    let configured = Hub::spawn(with_jwt(&["--hosts", "hub.test"])).await;
    assert_eq!(status(&configured, "/api/sse", "hub.test").await, 401);
    assert_eq!(status(&configured, "/api/sse", "evil.example").await, 421);
}

/// HTTP/2 has no `Host`.
#[tokio::test]
async fn over_http_2_the_authority_is_the_host() {
    let Some(curl) = sse_testkit::executable("curl").unwrap() else {
        return;
    };
    let hub = Hub::start(&[]).await;
    let status = |host: &str, origin: &str| {
        let output = std::process::Command::new(&curl)
            .args([
                "-sS",
                "--noproxy",
                "*",
                "--http2-prior-knowledge",
                "--max-time",
                "30",
                "-o",
                "/dev/null",
            ])
            .args([
                "-w",
                "%{http_version} %{http_code}",
                "-H",
                &format!("host: {host}"),
                "-H",
                &format!("origin: {origin}"),
            ])
            .arg(format!("http://{}/api/trpc/sse.getStats", hub.address()))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(status("localhost:3000", "http://localhost:3000"), "2 200");
    assert_eq!(status("localhost:3000", "http://localhost:3001"), "2 403");
    assert_eq!(status("evil.example", "http://evil.example"), "2 421");
}

#[tokio::test]
async fn demo_hub_rejects_pages_of_other_sites() {
    let hub = Hub::start(&[]).await;
    let own = format!("http://{}", hub.address());
    let listed = Hub::start(&["--origins", "http://localhost:3000"]).await;
    let site = |site: &str| header("sec-fetch-site", site);
    for (hub, headers, allowed) in [
        (&hub, vec![], true),
        (&hub, vec![site("same-origin")], true),
        (&hub, vec![site("none")], true),
        (&hub, vec![header("origin", &own)], true),
        (
            &hub,
            vec![header("origin", &own), site("same-origin")],
            true,
        ),
        (&hub, vec![header("origin", "https://evil.example")], false),
        (
            &hub,
            vec![header("origin", "http://localhost:3000"), site("same-site")],
            false,
        ),
        (&hub, vec![header("origin", "null")], false),
        (&hub, vec![site("cross-site")], false),
        (&hub, vec![site("same-site")], false),
        (
            &listed,
            vec![header("origin", "http://localhost:3000"), site("same-site")],
            true,
        ),
        (
            &listed,
            vec![header("origin", "https://evil.example")],
            false,
        ),
    ] {
        assert_eq!(
            call(hub, &headers).await,
            if allowed { 200 } else { 403 },
            "{headers:?}"
        );
        for path in DEMO {
            let request = sse_testkit::RawRequest::get(hub.address(), path);
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(name, value)
            });
            let status = request.open().await.unwrap().head().await.unwrap().status;
            assert_eq!(
                status,
                if allowed { 200 } else { 403 },
                "{path} {headers:?}"
            );
        }
    }
    // A link from another site can open the page.
    assert_eq!(
        hub.ask("GET", "/sse-demo", &[site("cross-site")], "")
            .await
            .status,
        200
    );
    let asked = [
        header("origin", "http://localhost:3000"),
        header("access-control-request-method", "POST"),
    ];
    let answer = listed
        .ask("OPTIONS", "/api/trpc/sse.sendInfo", &asked, "")
        .await;
    assert_eq!(
        answer.headers.get("access-control-allow-origin"),
        Some("http://localhost:3000")
    );
    let mut wrong = command();
    wrong.args(["--origins", "localhost:3000"]);
    assert!(
        crate::hub::refusal(wrong)
            .await
            .contains("is not an origin")
    );
}
