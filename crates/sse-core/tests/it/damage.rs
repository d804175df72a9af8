//! Unreadable parts of the log.

use std::{ops::Range, time::Duration};

use sse_core::{
    Event, Handshake, Manager, PublishError, Retention,
    backplane::{Backplane as _, MemoryBackplane, NewEntry, Position},
    stats::LogState,
};
use sse_testkit::{
    Decoded,
    backplane::{ReadFault, ScriptedBackplane},
};
use tokio::time::{Instant, sleep};

use crate::{
    nodes::{SOON, node_holding, reasons},
    support::{Client, data, from, json, name, publish_all, resumed},
};

/// Longer than the time over which an unreadable position is tried.
const LONG: u64 = 90;

/// Number of entries in the log, of which the node holds the last ten.
const ENTRIES: u64 = 100;

struct Log {
    way: ScriptedBackplane,
    manager: Manager,
}

/// Creates a node with an entry for every stream at each position from 1 on.
async fn log() -> Log {
    let way = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
    let manager = node_holding(way.clone(), Retention::default().entries(10)).await;
    publish_all(&manager, (1..=ENTRIES).map(|number| number.to_string())).await;
    Log { way, manager }
}

impl Log {
    fn at(&self, position: u64) -> Client {
        let id = format!(
            "{}-{position}",
            self.manager.log_stats().unwrap().head.epoch
        );
        Client::connect(&self.manager, from(&id).user("42"))
    }

    fn breaks(&self, places: Range<u64>, fault: ReadFault) {
        self.way
            .break_reads(places.start.into()..places.end.into(), fault);
    }
}

/// Returns all events that arrive within a time.
async fn within(client: &mut Client, seconds: u64) -> Vec<Decoded> {
    let mut events = client.take();
    for _ in 0..seconds * 4 {
        sleep(Duration::from_millis(250)).await;
        events.extend(client.take());
    }
    events.retain(|event| event.event_type != "heartbeat");
    events
}

/// Returns the numbers that arrived, and the ranges of numbers that gaps covered.
fn story(events: &[Decoded]) -> (Vec<u64>, Vec<(u64, u64)>) {
    let number = |id: &serde_json::Value| {
        id.as_str()
            .unwrap()
            .rsplit_once('-')
            .unwrap()
            .1
            .parse()
            .unwrap()
    };
    let gaps = events
        .iter()
        .filter(|event| name(event) == "gap")
        .map(|event| {
            let gap = &json(event)["data"];
            assert_eq!(gap["reason"], "damaged");
            assert_eq!(gap["to"], event.id, "the client continues after the gap");
            (number(&gap["from"]), number(&gap["to"]))
        });
    (
        data(events)
            .iter()
            .map(|text| text.parse().unwrap())
            .collect(),
        gaps.collect(),
    )
}

/// Checks the numbers after `after`: each arrived or is covered by a gap, and none arrived twice
/// or out of order.
fn check(events: &[Decoded], after: u64) {
    let (numbers, gaps) = story(events);
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    for number in after + 1..=ENTRIES {
        let is_reported = gaps
            .iter()
            .any(|(from, to)| (from + 1..=*to).contains(&number));
        assert!(
            numbers.contains(&number) || is_reported,
            "{number} is missing: {numbers:?}, {gaps:?}"
        );
    }
}

/// Every fault, at the start of the missed events, in the middle, and just before the part that the
/// node holds in memory.
#[tokio::test(start_paused = true)]
async fn unreadable_entries_are_a_gap_for_every_fault() {
    for fault in [
        ReadFault::Damaged,
        ReadFault::Refused,
        ReadFault::Unavailable,
        ReadFault::Silent,
        ReadFault::Empty,
        ReadFault::EmptyAtHead,
    ] {
        for broken in [20..21, 20..30, 40..60, 89..90, 80..95] {
            let log = log().await;
            log.breaks(broken.clone(), fault);
            let mut client = log.at(20);
            let events = within(&mut client, LONG).await;
            check(&events, 20);
            let (numbers, gaps) = story(&events);
            assert_eq!(gaps.len(), 1, "{fault:?} {broken:?}: {gaps:?}");
            assert_eq!(gaps[0].0, broken.start, "{fault:?} {broken:?}");
            if fault == ReadFault::Damaged {
                let lost = broken.end.min(90) - broken.start;
                assert_eq!(
                    numbers.len() as u64,
                    80 - lost,
                    "readable entries are delivered"
                );
            }
            let stats = log.manager.log_stats().unwrap();
            assert_eq!(
                (stats.damaged, stats.gaps.get("damaged")),
                (1, 1),
                "{fault:?} {broken:?}"
            );
            assert_eq!(stats.state, LogState::Current, "new events are unaffected");
            // Every stream continues, and receives no second gap.
            publish_all(&log.manager, ["101"]).await;
            assert_eq!(client.data(), ["101"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn known_damage_is_not_reported_as_resumed() {
    let log = log().await;
    log.breaks(40..60, ReadFault::Damaged);
    check(&within(&mut log.at(20), 5).await, 20);
    for (place, is_whole) in [
        (0, false),
        (39, false),
        (40, false),
        (50, false),
        (59, false),
        (60, true),
        (95, true),
    ] {
        let reads = log.way.reads();
        let mut client = log.at(place);
        let events = within(&mut client, 5).await;
        check(&events, place);
        assert_eq!(
            (resumed(&events), reasons(&events).is_empty()),
            (is_whole, is_whole),
            "from {place}"
        );
        assert!(
            log.way.reads() <= reads + 2,
            "known damage is not read again"
        );
    }
    assert_eq!(log.manager.log_stats().unwrap().damaged, 1);
}

/// A position that fails, in any way, does not delay reads of other positions, not even for another
/// stream of the same user.
#[tokio::test(start_paused = true)]
async fn failing_position_delays_no_other_stream() {
    for fault in [
        ReadFault::Refused,
        ReadFault::Unavailable,
        ReadFault::Silent,
        ReadFault::Empty,
    ] {
        let log = log().await;
        log.breaks(5..15, fault);
        let epoch = log.manager.log_stats().unwrap().head.epoch;
        let stuck = (0..50).map(|number| {
            let (id, user) = (
                format!("{epoch}-{}", 5 + number % 10),
                format!("{}", 40 + number % 3),
            );
            Client::connect(&log.manager, from(&id).user(user.as_str()))
        });
        let mut stuck: Vec<_> = stuck.collect();
        sleep(SOON).await;
        let start = Instant::now();
        let other = from(&format!("{epoch}-30")).user("another");
        for (is_same_user, mut client) in [
            (false, Client::connect(&log.manager, other)),
            (true, log.at(40)),
        ] {
            let mut numbers = story(&client.take()).0;
            while numbers.last() != Some(&ENTRIES) {
                sleep(Duration::from_millis(10)).await;
                numbers.extend(story(&client.take()).0);
                // A silent read takes ten seconds, and a user has one in flight at a time.
                let longest = if fault == ReadFault::Silent && is_same_user {
                    15
                } else {
                    1
                };
                assert!(
                    start.elapsed() < Duration::from_secs(longest),
                    "{fault:?}: {numbers:?}"
                );
            }
        }
        let mut events: Vec<_> = stuck.iter_mut().map(Client::take).collect();
        assert!(
            events.iter().all(|events| reasons(events).is_empty()),
            "{fault:?}: the read is retried for a while"
        );
        for _ in 0..2 * LONG {
            sleep(Duration::from_secs(1)).await;
            stuck
                .iter_mut()
                .zip(&mut events)
                .for_each(|(client, events)| events.extend(client.take()));
        }
        for (number, mut events) in (0..).zip(events) {
            events.retain(|event| event.event_type != "heartbeat");
            check(&events, 5 + number % 10);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn temporary_fault_loses_no_event() {
    for fault in [
        ReadFault::Refused,
        ReadFault::Unavailable,
        ReadFault::Silent,
        ReadFault::Empty,
    ] {
        let log = log().await;
        log.breaks(20..30, fault);
        let mut client = log.at(20);
        let mut events = within(&mut client, 8).await;
        log.way.mend_reads();
        events.extend(within(&mut client, 20).await);
        assert!(resumed(&events));
        assert_eq!(
            story(&events),
            ((21..=ENTRIES).collect(), vec![]),
            "{fault:?}"
        );
    }
}

/// While the broker is unavailable, clients wait for it without a time limit.
#[tokio::test(start_paused = true)]
async fn unavailable_backplane_causes_no_gap() {
    let log = log().await;
    log.way.set_away(true);
    sleep(Duration::from_secs(2)).await;
    let mut client = log.at(20);
    let mut events = within(&mut client, 4 * LONG).await;
    assert_eq!(reasons(&events), [""; 0]);
    log.way.set_away(false);
    events.extend(within(&mut client, 20).await);
    assert_eq!(story(&events), ((21..=ENTRIES).collect(), vec![]));
}

/// A node that follows the log reaches damage: its streams receive a gap and continue.
#[tokio::test(start_paused = true)]
async fn live_streams_receive_a_gap_and_continue() {
    let memory = MemoryBackplane::new(Retention::default());
    let way = ScriptedBackplane::new(memory.clone());
    let manager = node_holding(way.clone(), Retention::default()).await;
    let other = node_holding(memory, Retention::default()).await;
    let mut client = Client::greeted(&manager, Handshake::new());
    way.break_reads(3.into()..6.into(), ReadFault::Damaged);
    way.hold_tails(true);
    publish_all(&other, (1..=ENTRIES).map(|number| number.to_string())).await;
    way.hold_tails(false);
    let events = within(&mut client, 5).await;
    check(&events, 0);
    assert_eq!(story(&events).1, [(3, 6)]);
    assert_eq!(
        reasons(&events),
        ["damaged"],
        "damage does not make the log unavailable"
    );
    assert_eq!(manager.log_stats().unwrap().state, LogState::Current);
    // A client that returns with an earlier position also receives the gap.
    let id = format!("{}-2", manager.log_stats().unwrap().head.epoch);
    let mut returning = Client::connect(&manager, from(&id));
    let events = within(&mut returning, 5).await;
    check(&events, 2);
    assert!(!resumed(&events));
}

#[tokio::test(start_paused = true)]
async fn node_starts_on_a_damaged_log_and_serves_the_rest() {
    let Log { way, .. } = log().await;
    for damage in [10..20, 40..41, 70..90] {
        way.break_reads(damage.start.into()..damage.end.into(), ReadFault::Damaged);
    }
    let start = Instant::now();
    let manager = node_holding(way.clone(), Retention::default()).await;
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    let id = format!("{}-0", manager.log_stats().unwrap().head.epoch);
    let mut client = Client::connect(&manager, from(&id));
    let events = within(&mut client, 5).await;
    check(&events, 0);
    let (numbers, gaps) = story(&events);
    assert_eq!(
        (numbers.len(), gaps),
        (69, vec![(10, 20), (40, 41), (70, 90)])
    );
    publish_all(&manager, ["101"]).await;
    assert_eq!(client.data(), ["101"]);
}

/// An entry of the log that no node can decode, among entries that it can decode.
#[tokio::test(start_paused = true)]
async fn entry_of_another_version_is_a_gap() {
    let memory = MemoryBackplane::new(Retention::default());
    let manager = node_holding(memory.clone(), Retention::default().entries(10)).await;
    let mut live = Client::connect(&manager, Handshake::new());
    let had = live.take()[0].id.clone();
    for number in 1..=ENTRIES {
        if number % 40 == 7 {
            let payload = vec![2, 0, 0].into();
            memory
                .append(NewEntry { payload, key: None })
                .await
                .unwrap();
            sleep(SOON).await;
        } else {
            publish_all(&manager, [number.to_string()]).await;
        }
    }
    let mut returning = Client::connect(&manager, from(&had));
    for client in [&mut live, &mut returning] {
        let events = within(client, 5).await;
        check(&events, 0);
        assert_eq!(story(&events).1, [(6, 7), (46, 47), (86, 87)]);
    }
    let stats = manager.log_stats().unwrap();
    assert_eq!((stats.unreadable, stats.damaged), (3, 3));
}

/// The log has the entry but never returns it, so the streams that it reached are unknown.
#[tokio::test(start_paused = true)]
async fn undelivered_publish_is_an_error() {
    for lost_by in ["damage", "a tail that is gone"] {
        let way = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
        let manager = node_holding(way.clone(), Retention::default()).await;
        let mut client = Client::greeted(&manager, Handshake::new());
        if lost_by == "damage" {
            way.break_reads(Position::ZERO..1.into(), ReadFault::Damaged);
        } else {
            way.hold_tails(true);
        }
        let event = || Event::text("once").with_idempotency_key("k");
        let start = Instant::now();
        let error = manager.all().publish(event()).await.unwrap_err();
        let PublishError::Unconfirmed { id, retry_after } = &error else {
            panic!("{lost_by}: {error:?}")
        };
        assert_eq!(
            (start.elapsed().as_secs(), retry_after.is_zero()),
            (10, false),
            "{lost_by}"
        );
        // A retry reports the outcome.
        let receipt = manager.all().publish(event()).await.unwrap();
        assert_eq!(
            (receipt.duplicate, receipt.matched, receipt.id.as_ref()),
            (true, 0, Some(id)),
            "{lost_by}"
        );
        way.hold_tails(false);
        let events = within(&mut client, 20).await;
        let (expected, gaps) = if lost_by == "damage" {
            (vec![], vec!["damaged"])
        } else {
            (vec!["once"], vec![])
        };
        let gap_reasons = reasons(&events);
        assert_eq!(
            (data(&events), gap_reasons),
            (expected, gaps.into_iter().map(str::to_owned).collect())
        );
    }
}
