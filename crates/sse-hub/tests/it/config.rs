//! Settings from all sources.

use std::{fs, process::Command};

use crate::hub::{Hub, bare_command, command};

/// Creates the command of a hub under a shell that changes its limits first.
#[cfg(target_os = "linux")]
pub(crate) fn limited(limits: &str, arguments: &[&str]) -> Command {
    let hub = bare_command();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{limits} && exec \"$@\""), "sh"])
        .arg(hub.get_program());
    shell.args(["--listen", "127.0.0.1:0"]).args(arguments);
    for (name, _) in hub.get_envs() {
        shell.env_remove(name);
    }
    shell
}

/// Returns the heartbeat interval that a stream reports under these settings.
async fn heartbeat_ms(file: Option<&str>, variable: Option<&str>, flag: Option<&str>) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command();
    if let Some(value) = file {
        let path = folder.path().join("hub.toml");
        fs::write(
            &path,
            format!("[streams]\nheartbeat_interval = \"{value}\"\n"),
        )
        .unwrap();
        command.arg("--config").arg(path);
    }
    if let Some(value) = variable {
        command.env("SSE_HUB_HEARTBEAT_INTERVAL", value);
    }
    if let Some(value) = flag {
        command.args(["--heartbeat-interval", value]);
    }
    let (_, hello) = Hub::spawn(command).await.greeted("").await;
    hello["heartbeatMs"].as_u64().unwrap()
}

#[tokio::test]
async fn flag_overrides_variable_file_and_default() {
    assert_eq!(heartbeat_ms(None, None, None).await, 30_000);
    assert_eq!(heartbeat_ms(Some("11s"), None, None).await, 11_000);
    assert_eq!(heartbeat_ms(Some("11s"), Some("12s"), None).await, 12_000);
    assert_eq!(
        heartbeat_ms(Some("11s"), Some("12s"), Some("13000")).await,
        13_000
    );
    assert_eq!(heartbeat_ms(Some("11s"), None, Some("13s")).await, 13_000);
    assert_eq!(heartbeat_ms(None, Some("12000"), None).await, 12_000);
}

#[tokio::test]
async fn variable_names_a_file_with_all_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let text = "listen = \"127.0.0.1:0\"\ndrain = \"2s\"\nlog = \"debug\"\n[streams]\nmax_connections = 1\n\
                heartbeat = \"off\"\noverflow = { keep_latest = \"key\" }\nlimits = { topic = 3 }\n";
    fs::write(&file, text).unwrap();
    let mut command = bare_command();
    command.env("SSE_HUB_CONFIG", &file);
    let hub = Hub::spawn(command).await;
    let (_stream, hello) = hub.greeted("topics=abc").await;
    assert!(hello["heartbeatMs"].is_null());
    assert_eq!(hub.request("GET", "/api/sse").await.status, 503);
    assert_eq!(hub.request("GET", "/api/sse?topics=abcd").await.status, 400);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn soft_limit_of_files_is_raised_to_the_hard_one() {
    let hub = Hub::spawn(limited("ulimit -Sn 64", &["--max-connections", "100"])).await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", hub.0.id().unwrap())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let limits: Vec<u64> = line
        .split_whitespace()
        .skip(3)
        .map_while(|word| word.parse().ok())
        .collect();
    assert!(limits[0] == limits[1] && limits[0] >= 356, "{line}");
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(hub.stream("").await);
    }
    assert_eq!(hub.stats().await["totalConnections"], 100);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn streams_beyond_the_hard_limit_are_rejected() {
    let text = crate::hub::refusal(limited("ulimit -n 300", &["--max-connections", "100"])).await;
    for said in [
        "(exit status: 2)",
        "--max-connections",
        "356 open files",
        "hard limit of 300",
    ] {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
}
