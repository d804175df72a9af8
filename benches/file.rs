//! Appends a second to the event log on disk, against a loop that writes equal batches to a file
//! and syncs each.
//!
//! The number of appends in flight equals the number of entries in a batch: as soon as an append is
//! acknowledged, its task starts the next. Columns take turns, and the ratio is that of one round.
//! The directory is created in `TMPDIR`; on a file system in memory the results do not describe a
//! disk.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use benches::{
    lines::{Samples, line},
    scale::Scale,
};
use bytes::Bytes;
use sse_core::{
    Retention,
    backplane::{Backplane, NewEntry},
};
use sse_file::{FileBackplane, FileConfig, SyncPolicy};
use tokio::{runtime::Runtime, task::JoinSet};

/// Bytes of a payload.
const PAYLOAD: usize = 256;

/// Bytes of a record in addition to its payload.
const OVERHEAD: usize = 37;

const POLICIES: [(&str, SyncPolicy); 3] = [
    ("every batch", SyncPolicy::EveryBatch),
    (
        "every 200 ms",
        SyncPolicy::Interval(Duration::from_millis(200)),
    ),
    ("never", SyncPolicy::Never),
];

fn main() {
    let scale = Scale::from_args();
    if !scale.measures() {
        return;
    }
    let runtime = Runtime::new().expect("a runtime can be made");
    for (depth, batches) in [(1, 200), (64, 100), (1024, 50)] {
        compare(&runtime, depth, scale.pick(batches, 2), scale.pick(7, 1));
    }
}

/// Lets the columns take turns, and prints the median of each and of its ratio to the loop in the
/// same round.
fn compare(runtime: &Runtime, depth: usize, batches: usize, rounds: usize) {
    let mut plain = Samples::default();
    let mut logs = vec![(Samples::default(), Samples::default()); POLICIES.len()];
    for _ in 0..rounds {
        let base = rate(depth * batches, || write_and_sync(depth, batches));
        plain.push(base);
        for ((_, policy), (rates, ratios)) in POLICIES.iter().zip(&mut logs) {
            let rate = runtime.block_on(append(*policy, depth, batches));
            rates.push(rate);
            ratios.push(rate / base);
        }
    }
    let name = |what: &str| format!("{depth} at once, {what}");
    line(
        &name("write and fdatasync"),
        format_args!("{:.0}", plain.median()),
        "entries/s",
    );
    for ((what, _), (rates, ratios)) in POLICIES.iter().zip(&logs) {
        line(
            &name(what),
            format_args!("{:.0}", rates.median()),
            "entries/s",
        );
        line(
            &name(&format!("{what} / write and fdatasync")),
            format_args!("{:.2}", ratios.median()),
            "times",
        );
    }
}

fn rate(entries: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    per_second(entries, start)
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn per_second(entries: usize, start: Instant) -> f64 {
    entries as f64 / start.elapsed().as_secs_f64()
}

fn write_and_sync(depth: usize, batches: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut file = File::create(dir.path().join("plain")).expect("a file");
    let batch = vec![7; depth * (PAYLOAD + OVERHEAD)];
    for _ in 0..batches {
        file.write_all(&batch)
            .and_then(|()| file.sync_data())
            .expect("room on the disk");
    }
}

async fn append(policy: SyncPolicy, depth: usize, batches: usize) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let log = open(dir.path(), policy).await;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..depth {
        let log = log.clone();
        tasks.spawn(async move {
            for _ in 0..batches {
                let payload = Bytes::from_static(&[7; PAYLOAD]);
                log.append(NewEntry { payload, key: None })
                    .await
                    .expect("room on the disk");
            }
        });
    }
    tasks.join_all().await;
    let rate = per_second(depth * batches, start);
    log.close().await;
    rate
}

async fn open(dir: &Path, policy: SyncPolicy) -> FileBackplane {
    let retention = Retention::default().entries(10_000_000).bytes(1 << 30);
    FileBackplane::open(dir, FileConfig::default().retention(retention).sync(policy))
        .await
        .expect("a log")
}
