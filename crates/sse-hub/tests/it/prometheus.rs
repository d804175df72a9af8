//! A Prometheus server that scrapes a hub.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use sse_testkit::request;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::{sleep, timeout},
};

use crate::hub::{TIMEOUT, until};

/// A running Prometheus server. It scrapes one address twice a second, and has the alerts. Dropping
/// it ends the process.
pub(crate) struct Prometheus {
    address: SocketAddr,
    _process: Child,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts Prometheus, or returns `None` if the program is not installed.
    pub(crate) async fn start(target: SocketAddr) -> Option<Self> {
        let program = sse_testkit::executable("prometheus").unwrap()?;
        let folder = tempfile::tempdir().unwrap();
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring/alerts.yml");
        let config = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 100ms }}\n\
             rule_files: [{}]\n\
             scrape_configs: [{{ job_name: sse-hub, static_configs: [{{ targets: ['{target}'] }}] }}]\n",
            rules.canonicalize().unwrap().display()
        );
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = async {
            loop {
                let line = lines
                    .next_line()
                    .await
                    .unwrap()
                    .expect("Prometheus listens before its output ends");
                let address = line
                    .split_once("msg=\"Listening on\" address=")
                    .map(|(_, address)| address);
                if let Some(address) = address {
                    return address.trim().parse().unwrap();
                }
            }
        };
        let address = timeout(TIMEOUT, address).await.unwrap();
        // The output must be read, or the process blocks.
        tokio::spawn(
            async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} },
        );
        let is_ready = async || {
            request(address, "GET", "/-/ready", &[], "")
                .await
                .unwrap()
                .status
                == 200
        };
        until(is_ready).await;
        Some(Self {
            address,
            _process: process,
            _folder: folder,
        })
    }

    /// Returns the response of the API to a path under `/api/v1/`.
    pub(crate) async fn api(&self, path: &str) -> Value {
        let response = request(self.address, "GET", &format!("/api/v1/{path}"), &[], "")
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// Evaluates an expression. Returns labels and values.
    pub(crate) async fn evaluate(&self, expression: &str) -> Vec<(Value, f64)> {
        let query: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let data = self.api(&format!("query?query={query}")).await;
        let results = data["result"].as_array().unwrap().iter().map(|result| {
            let number = result["value"][1].as_str().unwrap().parse().unwrap();
            (result["metric"].clone(), number)
        });
        results.collect()
    }

    /// Waits until an expression has results, and returns them. The results are empty while the
    /// latest scrape failed, which can happen on a busy machine.
    pub(crate) async fn shows(&self, title: &str, expression: &str) -> Vec<(Value, f64)> {
        let results = async {
            loop {
                let results = self.evaluate(expression).await;
                if !results.is_empty() {
                    return results;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(TIMEOUT, results)
            .await
            .unwrap_or_else(|_| panic!("{title} is empty: {expression}"))
    }

    /// Waits for this number of successful scrapes from now on.
    pub(crate) async fn scrapes(&self, times: usize) {
        let count = async || {
            let samples = self.evaluate("sum(sum_over_time(up[1h]))").await;
            samples.first().map_or(0.0, |(_, count)| *count)
        };
        let before = count().await;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let wanted = before + times as f64;
        until(async || count().await >= wanted).await;
    }
}
