//! CORS: pages of other sites that may use the hub.

use crate::{access::with_jwt, hub::Hub};

const LISTED: [&str; 2] = ["https://app.example.com", "http://localhost:3000"];

/// Every route that a page of another site uses, and the methods that it uses there.
const ROUTES: [(&str, &[&str]); 4] = [
    // No stream opens, so that every response ends.
    ("/api/sse?topics[]=a", &["GET", "POST"]),
    ("/api/trpc/sse.sendInfo", &["GET", "POST"]),
    ("/sse/client.js", &["GET"]),
    ("/sse/missing.js", &["GET"]),
];

/// Headers of the clients of this project and of tRPC, of tracing, and of any other library.
const HEADERS: &str = "authorization,baggage,cache-control,content-type,last-event-id,sentry-trace,\
     traceparent,tracestate,trpc-accept,trpc-batch-mode,x-any-other,x-trpc-source";

async fn hubs() -> [Hub; 2] {
    let origins = ["--origins", &LISTED.join(",")];
    let demo = Hub::start(&origins).await;
    [Hub::spawn(with_jwt(&origins)).await, demo]
}

#[tokio::test]
async fn preflights_allow_listed_origins_and_any_header() {
    for hub in hubs().await {
        for (path, methods) in ROUTES {
            for method in methods {
                let preflight = async |origin: &str| {
                    let headers = [
                        ("origin", origin.to_owned()),
                        ("access-control-request-method", (*method).to_owned()),
                        ("access-control-request-headers", HEADERS.to_owned()),
                    ];
                    hub.ask("OPTIONS", path, &headers, "").await
                };
                for origin in LISTED {
                    let answer = preflight(origin).await;
                    let header = |name: &str| answer.headers.get(name);
                    assert_eq!(answer.status, 200, "{path}");
                    assert_eq!(header("access-control-allow-origin"), Some(origin));
                    assert_eq!(header("access-control-allow-credentials"), Some("true"));
                    assert_eq!(header("access-control-allow-headers"), Some(HEADERS));
                    let methods = header("access-control-allow-methods").unwrap();
                    assert!(methods.contains(method), "{methods}");
                }
                let answer = preflight("https://evil.example.com").await;
                assert_eq!(answer.headers.get("access-control-allow-origin"), None);
            }
        }
    }
}

/// A page reads the status of a rejection, and `Retry-After` and `Allow`.
#[tokio::test]
async fn listed_origins_can_read_every_response() {
    for hub in hubs().await {
        for (path, methods) in ROUTES {
            for method in methods.iter().chain(&["DELETE"]) {
                let ask = async |origin: &str| {
                    hub.ask(method, path, &[("origin", origin.to_owned())], "{}")
                        .await
                };
                let answer = ask(LISTED[1]).await;
                let header = |name: &str| answer.headers.get(name);
                let case = format!("{method} {path}: {}", answer.status);
                assert_eq!(
                    header("access-control-allow-origin"),
                    Some(LISTED[1]),
                    "{case}"
                );
                let exposed = header("access-control-expose-headers").unwrap_or_default();
                assert!(
                    ["allow", "retry-after"]
                        .iter()
                        .all(|name| exposed.contains(name)),
                    "{case}"
                );
                let mut varies = answer.headers.get_all("vary");
                assert!(
                    varies.any(|value| value.to_lowercase().contains("origin")),
                    "{case}"
                );
                let answer = ask("https://evil.example.com").await;
                assert_eq!(
                    answer.headers.get("access-control-allow-origin"),
                    None,
                    "{case}"
                );
            }
        }
    }
}
