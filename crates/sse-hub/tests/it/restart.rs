//! A browser's `EventSource` through restarts of the hub.
#![cfg(unix)]

use std::net::SocketAddr;

use serde_json::json;
use sse_testkit::Signal;

use crate::{
    brokers::free_port,
    cdp::Page,
    hub::{Hub, TIMEOUT, bare_command, until},
};

/// A browser opens at most six connections to a host over HTTP/1.1, so the streams are spread over
/// several hosts.
const HOSTS: u8 = 10;
const STREAMS_OF_A_HOST: u8 = 6;
const STREAMS: u64 = HOSTS as u64 * STREAMS_OF_A_HOST as u64;

async fn hub(port: u16, log: &str, most: &str) -> Hub {
    let mut command = bare_command();
    command.args([
        "--listen",
        &format!("0.0.0.0:{port}"),
        "--demo",
        "--drain-delay",
        "1",
        "--backplane",
        log,
    ]);
    // All streams come from one address.
    command.args([
        "--max-connections",
        most,
        "--max-connections-per-address",
        "1000",
    ]);
    Hub::spawn(command).await
}

/// Returns a script that opens the streams of a tab and provides their states.
fn open_streams() -> String {
    format!(
        "window.sources = Array.from({{ length: {STREAMS_OF_A_HOST} }}, () => new EventSource('/api/sse'));
         window.states = () => sources.map(source => source.readyState);"
    )
}

/// Returns the number of streams in each state: connecting, open, closed.
async fn states(page: &mut Page, tabs: &[String]) -> [u64; 3] {
    let mut counts = [0; 3];
    for tab in tabs {
        page.switch(tab);
        for state in page.run("states()").await.as_array().unwrap() {
            counts[usize::try_from(state.as_u64().unwrap()).unwrap()] += 1;
        }
    }
    counts
}

/// Waits until this number of streams is open. Asserts that no stream is closed in the meantime.
async fn all_open(page: &mut Page, tabs: &[String], most: u64) {
    let waiting = async {
        loop {
            let [connecting, open, closed] = states(page, tabs).await;
            assert_eq!(
                closed, 0,
                "a stream was closed for ever; {open} open, {connecting} connecting"
            );
            if open >= most {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(2 * TIMEOUT, waiting)
        .await
        .expect("all streams reconnect");
}

#[tokio::test]
async fn no_event_source_is_lost_by_restarts() {
    let Some(chromium) = sse_testkit::executable("chromium").unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let log = format!("file:{}", folder.path().display());
    let port = free_port();
    let mut running = hub(port, &log, "1000").await;
    let mut page = Page::open(&chromium, "about:blank").await;
    let mut tabs = Vec::new();
    for host in 1..=HOSTS {
        let address = SocketAddr::from(([127, 0, 0, host], port));
        tabs.push(
            page.open_tab(&format!("http://{address}/health/live"))
                .await,
        );
        page.wait_for("location.protocol === 'http:' && document.readyState === 'complete'")
            .await;
        page.run(&open_streams()).await;
    }
    all_open(&mut page, &tabs, STREAMS).await;
    // The second hub is too small for all of the streams.
    for (most, expected) in [("1000", STREAMS), ("40", 40), ("1000", STREAMS)] {
        running.0.signal(Signal::Terminate).unwrap();
        assert_eq!(running.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(0));
        running = hub(port, &log, most).await;
        all_open(&mut page, &tabs, expected).await;
        if most == "40" {
            // Each of the other streams was rejected, perhaps more than once.
            let rejected = async || {
                let metrics = running.request("GET", "/metrics").await;
                let text = metrics.text().unwrap().to_owned();
                let line = text
                    .lines()
                    .find(|line| line.contains("refused_total") && line.contains("\"full\""));
                line.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
                    .unwrap_or_default()
                    >= 20.0
            };
            until(rejected).await;
            assert_eq!(
                states(&mut page, &tabs).await[2],
                0,
                "a stream was rejected for ever"
            );
        }
    }
    running
        .send("broadcastSystemEvent", json!({ "event": "fence" }))
        .await;
    page.close().await;
}
