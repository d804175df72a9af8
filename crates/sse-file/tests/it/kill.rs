//! `kill -9` at random moments.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rand::random_range;
use sse_core::{
    Retention,
    backplane::{Backplane, Cursor, NewEntry},
};
use sse_file::{FileBackplane, FileConfig, SyncPolicy};
use tokio::task::JoinSet;

use crate::support::{beginning, directory, entries, open};

const DIR: &str = "SSE_FILE_TEST_DIR";
const SYNC: &str = "SSE_FILE_TEST_SYNC";

/// Returns a configuration with small segments, so that a kill can hit between two.
fn config(sync: &str) -> FileConfig {
    let sync = if sync == "never" {
        SyncPolicy::Never
    } else {
        SyncPolicy::EveryBatch
    };
    FileConfig::default()
        .retention(Retention::default().entries(16_000))
        .sync(sync)
}

/// Appends from several tasks as fast as possible, and prints the acknowledged entries.
#[test]
#[ignore = "this is the process that is killed"]
fn appender() {
    let (Ok(dir), Ok(sync)) = (env::var(DIR), env::var(SYNC)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let log = open(Path::new(&dir), config(&sync)).await;
        let mut writers = JoinSet::new();
        for writer in 0..6 {
            writers.spawn(write(log.clone(), writer));
        }
        writers.join_all().await;
    });
}

async fn write(log: FileBackplane, writer: usize) {
    for number in 0.. {
        let text = format!("{writer}/{number}/{}", "x".repeat(number * 37 % 300));
        let key = (number % 3 == 0).then(|| format!("{}/{writer}/{number}", std::process::id()));
        let key = key.map(|key| key.as_str().try_into().unwrap());
        let appended = log
            .append(NewEntry {
                payload: text.clone().into(),
                key,
            })
            .await
            .unwrap();
        // Each line is a single write, so that only the last can be torn.
        std::io::stdout()
            .lock()
            .write_all(format!("\nacknowledged {} {text}\n", appended.cursor).as_bytes())
            .unwrap();
    }
}

/// Runs an appender until it has acknowledged `count` entries, and kills it.
fn run(dir: &Path, sync: &str, count: usize, pause: Duration) -> Vec<(Cursor, String)> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::appender",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIR, dir)
        .env(SYNC, sync)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.by_ref() {
        acknowledged.extend(parse(&line.unwrap()));
        if acknowledged.len() >= count {
            break;
        }
    }
    std::thread::sleep(pause);
    child.kill().unwrap();
    child.wait().unwrap();
    // Lines that the process printed before it died are still in the pipe; the last may be
    // incomplete.
    acknowledged.extend(lines.filter_map(|line| parse(&line.ok()?)));
    assert!(
        acknowledged.len() >= count,
        "the appender ended before the kill, after {}",
        acknowledged.len()
    );
    acknowledged
}

fn parse(line: &str) -> Option<(Cursor, String)> {
    let (cursor, text) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
    Some((cursor.parse().ok()?, text.to_owned()))
}

async fn kill_and_check(sync: &str, rounds: usize) {
    let dir = directory();
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let (count, pause) = (
            random_range(1..400),
            Duration::from_micros(random_range(0..3_000)),
        );
        acknowledged.extend(run(dir.path(), sync, count, pause));
        let log = open(dir.path(), config(sync)).await;
        let epoch = beginning(&log).await.epoch;
        let entries = entries(&log).await;
        let held: HashMap<_, _> = entries
            .iter()
            .map(|entry| (entry.position, &entry.payload))
            .collect();
        let trimmed = log.bounds().await.unwrap().trimmed;
        for (cursor, text) in acknowledged
            .iter()
            .filter(|(cursor, _)| cursor.position > trimmed)
        {
            assert_eq!(cursor.epoch, epoch, "round {round}");
            let payload = held
                .get(&cursor.position)
                .unwrap_or_else(|| panic!("round {round}: {cursor} is lost"));
            assert!(
                payload.starts_with(text.as_bytes()),
                "round {round}: {cursor} is {payload:?}, not {text}"
            );
        }
        assert!(
            entries
                .windows(2)
                .all(|pair| pair[0].position.minor() + 1 == pair[1].position.minor())
        );
        log.close().await;
    }
}

#[tokio::test]
async fn acknowledged_entries_outlive_kill() {
    kill_and_check("every batch", 14).await;
}

#[tokio::test]
async fn acknowledged_entries_outlive_kill_without_sync() {
    kill_and_check("never", 14).await;
}
