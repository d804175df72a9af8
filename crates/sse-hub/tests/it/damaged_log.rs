//! A hub with a damaged log on disk.

use std::{fs, path::PathBuf};

use serde_json::json;
use sse_testkit::{Decoded, Signal};
use tempfile::TempDir;

use crate::{
    hub::{Hub, TIMEOUT, command, refusal},
    nodes::becomes,
    resume::{before_fence, data, numbers, resumed},
};

/// Number of events; each segment of the log has fifty.
const EVENTS: u64 = 180;

struct Log {
    folder: TempDir,
    /// The id before all events, and then the ids of the events.
    ids: Vec<String>,
}

impl Log {
    fn arguments(&self) -> [String; 8] {
        let url = format!("file:{}", self.folder.path().display());
        [
            "--backplane",
            &url,
            "--backplane-memory",
            "1024",
            "--log-entries",
            "400",
            "--heartbeat-interval",
            "1s",
        ]
        .map(str::to_owned)
    }

    async fn start(&self) -> Hub {
        let mut command = command();
        command.args(self.arguments());
        let hub = Hub::spawn(command).await;
        becomes(&hub, 200).await;
        hub
    }

    /// Creates a log with a hub that then ends by this signal.
    async fn left_by(signal: Signal) -> Self {
        let mut log = Self {
            folder: tempfile::tempdir().unwrap(),
            ids: Vec::new(),
        };
        let mut hub = log.start().await;
        let mut stream = hub.open("user=ada").await;
        log.ids
            .push(stream.next_event_within(TIMEOUT).await.unwrap().id);
        for number in 0..EVENTS {
            log.ids.push(
                hub.number(json!({ "user": "ada" }), usize::try_from(number).unwrap())
                    .await,
            );
        }
        hub.0.signal(signal).unwrap();
        hub.0.wait_exit(TIMEOUT).await.unwrap();
        log
    }

    fn segment(&self, number: usize) -> PathBuf {
        let files = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|file| file.unwrap().path());
        let mut segments: Vec<_> = files
            .filter(|file| file.extension().is_some_and(|name| name == "log"))
            .collect();
        segments.sort();
        segments.swap_remove(number)
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.segment(number)).unwrap();
        change(&mut bytes);
        fs::write(self.segment(number), bytes).unwrap();
    }

    /// Connects clients with several earlier ids and publishes events. Asserts that each client
    /// receives every event or a gap in its place.
    async fn check(&mut self, hub: &Hub, what: &str) {
        let mut clients = Vec::new();
        for had in [0, 1, 30, 60, 120, 150, 179, 180] {
            let (stream, hello) = hub.back("user=ada", &[], &self.ids[had]).await;
            clients.push((had as u64, stream, hello));
        }
        for number in EVENTS..EVENTS + 5 {
            let id = hub
                .number(json!({ "user": "ada" }), usize::try_from(number).unwrap())
                .await;
            assert!(!self.ids.contains(&id), "{what}: {id} is given twice");
            self.ids.push(id);
        }
        hub.fence().await;
        let mut missing = 0;
        for (had, mut stream, hello) in clients {
            let events = before_fence(&mut stream).await;
            missing += self.check_events(
                had,
                &events,
                &format!("{what}, from {had}, resumed: {}", resumed(&hello)),
            );
        }
        // Without counted damage, no event can be missing. For example, all events after a damaged
        // header are readable.
        assert!(damaged(hub).await >= 1.0 || missing == 0, "{what}");
        becomes(hub, 200).await;
    }

    /// Asserts that missing events are reported as gaps. Returns the number of missing events.
    fn check_events(&self, had: u64, events: &[Decoded], what: &str) -> usize {
        let numbers = numbers(events);
        assert!(
            numbers.is_sorted_by(|one, next| one < next),
            "{what}: {numbers:?}"
        );
        assert_eq!(numbers.last(), Some(&(EVENTS + 4)), "{what}");
        let missing = (had..EVENTS + 5)
            .filter(|number| !numbers.contains(number))
            .count();
        let gaps = events
            .iter()
            .filter(|event| event.event_type == "system" && data(event)["event"] == "gap")
            .count();
        assert!(
            missing == 0 || gaps > 0,
            "{what}: {missing} are missing without a word"
        );
        assert!(
            missing <= 60 && gaps <= 2,
            "{what}: {missing} are missing, {gaps} gaps"
        );
        missing
    }
}

/// Returns the number of unreadable ranges of the log, from the metrics.
async fn damaged(hub: &Hub) -> f64 {
    let text = String::from_utf8(hub.request("GET", "/metrics").await.body).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("sse_log_damaged_total "))
        .unwrap();
    line.parse().unwrap()
}

type Act = fn(&Log);

const ACTS: [(&str, Act); 6] = [
    ("a flip in the first record", |log| {
        log.change(0, |bytes| bytes[44 + 30] ^= 1);
    }),
    ("a flip in the head of a record", |log| {
        log.change(1, |bytes| bytes[44 + 6] ^= 1);
    }),
    ("a flip in the header of a segment", |log| {
        log.change(1, |bytes| bytes[10] ^= 1);
    }),
    ("a segment that is cut", |log| {
        log.change(1, |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("a segment that is missing", |log| {
        fs::remove_file(log.segment(2)).unwrap();
    }),
    ("zeros in the middle", |log| {
        log.change(0, |bytes| bytes[500..1500].fill(0));
    }),
];

#[tokio::test]
async fn hub_serves_the_undamaged_rest() {
    for (what, act) in ACTS {
        for signal in [Signal::Terminate, Signal::Kill] {
            let mut log = Log::left_by(signal).await;
            act(&log);
            let hub = log.start().await;
            log.check(
                &hub,
                &format!("{what}, found at the start after {signal:?}"),
            )
            .await;
        }
        let mut log = Log::left_by(Signal::Terminate).await;
        let hub = log.start().await;
        act(&log);
        log.check(&hub, &format!("{what}, while the hub runs"))
            .await;
    }
}

#[tokio::test]
async fn truncated_log_repeats_no_id() {
    for signal in [Signal::Terminate, Signal::Kill] {
        for percent in [90, 50, 5] {
            let mut log = Log::left_by(signal).await;
            log.change(3, |bytes| bytes.truncate(bytes.len() * percent / 100));
            let hub = log.start().await;
            log.check(&hub, &format!("cut to {percent} % after {signal:?}"))
                .await;
        }
    }
}

/// The whole directory is an older copy.
#[tokio::test]
async fn restored_older_log_repeats_no_id() {
    let mut log = Log::left_by(Signal::Terminate).await;
    let older = tempfile::tempdir().unwrap();
    for file in fs::read_dir(log.folder.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), older.path().join(file.file_name())).unwrap();
    }
    let mut hub = log.start().await;
    let mut lost = Vec::new();
    for number in 0..10 {
        lost.push(hub.number(json!({ "user": "ada" }), 1000 + number).await);
    }
    hub.0.signal(Signal::Kill).unwrap();
    hub.0.wait_exit(TIMEOUT).await.unwrap();
    log.folder = older;
    let hub = log.start().await;
    for number in EVENTS..EVENTS + 20 {
        // Publishes while the log has fewer events than the lost one, equally many, and more.
        let id = hub
            .number(json!({ "user": "ada" }), usize::try_from(number).unwrap())
            .await;
        assert!(
            !lost.contains(&id) && !log.ids.contains(&id),
            "{id} is given twice"
        );
        if number % 4 == 0 {
            let (mut stream, _) = hub.back("user=ada", &[], &lost[4]).await;
            let is_gap =
                |event: &Decoded| event.event_type == "system" && data(event)["event"] == "gap";
            // The fence must be sent after the gap, since a gap up to the end of the log would
            // cover the fence.
            while !is_gap(&stream.next_event_within(TIMEOUT).await.unwrap()) {}
            hub.fence().await;
            let events = before_fence(&mut stream).await;
            assert!(!events.iter().any(is_gap), "at {number}: {events:?}");
        }
    }
}

#[tokio::test]
async fn start_fails_and_names_the_damaged_file() {
    type Spoil = fn(&Log);
    let spoils: [(&str, Spoil); 3] = [
        ("META is damaged at byte 0", |log| {
            let meta = log.folder.path().join("META");
            let mut bytes = fs::read(&meta).unwrap();
            bytes[20] ^= 1;
            fs::write(meta, bytes).unwrap();
        }),
        ("META is damaged at byte 0", |log| {
            fs::remove_file(log.folder.path().join("META")).unwrap();
        }),
        (".log cannot be used", |log| {
            let segment = log.segment(1);
            fs::remove_file(&segment).unwrap();
            fs::create_dir(segment).unwrap();
        }),
    ];
    let log = Log::left_by(Signal::Terminate).await;
    for (said, spoil) in spoils {
        let copy = Log {
            folder: tempfile::tempdir().unwrap(),
            ids: Vec::new(),
        };
        for file in fs::read_dir(log.folder.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.folder.path().join(file.file_name())).unwrap();
        }
        spoil(&copy);
        let mut hub = command();
        hub.args(copy.arguments());
        let text = refusal(hub).await;
        assert!(
            text.contains("(exit status: 1)") && text.contains(said),
            "{said}: {text}"
        );
        assert!(
            !said.starts_with("META") || text.contains("restore the directory, or move it away"),
            "{text}"
        );
    }
}
