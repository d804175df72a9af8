//! The load program from outside: whole comparisons, small, with every server in a separate
//! process.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn compare(docs: &Path, arguments: &[&str]) -> Output {
    // Both on one processor, so that one is enough.
    let cpu = first_cpu();
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    command.args([
        "compare",
        "--streams",
        "20",
        "--seconds",
        "0.1",
        "--interval",
        "5",
        "--burst",
        "8",
    ]);
    command.args([
        "--bursts",
        "1",
        "--rounds",
        "1",
        "--server-cpu",
        &cpu,
        "--load-cpu",
        &cpu,
    ]);
    command.arg("--docs").arg(docs).args(arguments);
    command.output().expect("the load program is built")
}

fn first_cpu() -> String {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = list.and_then(|list| list.trim().split([',', '-']).next());
    first.expect("a process may use a processor").to_owned()
}

#[test]
fn compares_adapter_framework_and_floor() {
    let docs = tempfile::tempdir().unwrap();
    let output = compare(
        docs.path(),
        &["--contenders", "floor,sse-hyper,hyper-native,sse-actix"],
    );
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let summaries: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = summaries
        .as_array()
        .unwrap()
        .iter()
        .map(|summary| summary["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["floor", "sse-hyper", "hyper channel body", "sse-actix"]
    );
    for summary in summaries.as_array().unwrap() {
        let report = &summary["rounds"][0];
        assert_eq!(report["paced"]["deliveries"], 400, "{summary}");
        assert_eq!(report["burst"]["deliveries"], 160, "{summary}");
        assert_eq!(summary["ratios"].as_array().unwrap().len(), 1);
    }
    assert_eq!(summaries[1]["native"]["to"], "hyper channel body");
    assert!(
        summaries[3]["native"].is_null(),
        "Actix's own was not measured"
    );
    let page = fs::read_to_string(docs.path().join("benchmarks.md")).unwrap();
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect::<Vec<_>>();
    assert_eq!(rows.len(), 5, "{page}");
    assert!(rows.iter().all(|row| errors.contains(row)), "{errors}");
    assert!(docs.path().join("benchmarks.svg").exists());
}

#[test]
fn failed_start_is_an_error_and_writes_nothing() {
    let docs = tempfile::tempdir().unwrap();
    let output = compare(
        docs.path(),
        &[
            "--contenders",
            "floor",
            "--also",
            "none=plain:/nowhere/server",
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/server"));
    assert_eq!(fs::read_dir(docs.path()).unwrap().count(), 0);
}
