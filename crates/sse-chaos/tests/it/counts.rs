//! The numbers in the oracle's judgments.

use sse_chaos::{
    FaultPeriod, Observation, OffenceKind, Oracle, OracleError, Publication, StopReason,
};
use sse_core::Target;

use crate::story::{Story, connected, event, gap, id, topic, user};

use OffenceKind::{Lost, Undelivered};

use crate::faulty::{EPOCH, TRIMMED, life, lost};

#[test]
fn judgment_counts_every_kind() {
    let judgment = Story::quiet().judgment();
    assert_eq!(
        (judgment.clients, judgment.never_connected, judgment.gave_up),
        (1, 0, 0)
    );
    assert_eq!((judgment.published, judgment.acknowledged), (8, 7));
    assert_eq!(
        (judgment.due, judgment.delivered, judgment.covered),
        (4, 4, 0)
    );
    assert_eq!(
        (judgment.connects, judgment.resumed, judgment.gaps.total()),
        (1, 0, 0)
    );
    let e = |number: u64| event(number, &format!("e-{number}"));
    let story = life(
        &[(1, "e-1"), (2, "e-2"), (3, "e-3"), (4, "e-4")],
        [
            connected("e-0"),
            e(1),
            Observation::Degraded,
            lost(),
            Observation::Connected {
                id: Some(id("e-0")),
                resumed: true,
            },
            e(1),
            gap(TRIMMED, Some("e-1"), Some("e-3")),
            Observation::Restored,
            e(4),
            Observation::Stopped(StopReason::Banned),
        ],
    );
    let judgment = story.judgment();
    assert!(judgment.is_clean(), "{judgment:#?}");
    assert_eq!(
        (
            judgment.due,
            judgment.delivered,
            judgment.covered,
            judgment.doubled_on_wire
        ),
        (4, 2, 2, 1)
    );
    assert_eq!(
        (judgment.connects, judgment.resumed, judgment.gave_up),
        (2, 1, 1)
    );
    assert_eq!((judgment.degraded, judgment.restored), (1, 1));
    assert_eq!(
        (
            judgment.gaps.of(TRIMMED),
            judgment.gaps.of(EPOCH),
            judgment.gaps.total()
        ),
        (1, 0, 1)
    );
}

#[test]
fn departed_client_is_owed_only_earlier_events() {
    let e = |number: u64| event(number, &format!("e-{number}"));
    let published = [(1, "e-1"), (2, "e-2"), (3, "e-3")];
    let mut story = life(
        &published,
        [
            connected("e-0"),
            e(1),
            Observation::Stopped(StopReason::Asked),
        ],
    );
    assert_eq!(story.offences(), [(Undelivered, 2)]);
    story.subscriber.left_early = true;
    assert_eq!(story.offences(), []);
    assert_eq!(story.judgment().due, 1);
    let mut story = life(
        &published,
        [
            connected("e-0"),
            e(2),
            Observation::Stopped(StopReason::Asked),
        ],
    );
    story.subscriber.left_early = true;
    assert_eq!(story.offences(), [(Lost, 1)]);
}

#[test]
fn events_acknowledged_after_the_end_are_not_due() {
    let mut story = life(
        &[(1, "e-1")],
        [
            connected("e-0"),
            event(1, "e-1"),
            Observation::Stopped(StopReason::Asked),
        ],
    );
    story.publish(2, Target::All, "e-2");
    assert_eq!(story.offences(), []);
    story.observations.pop();
    assert_eq!(story.offences(), [(Undelivered, 1)]);
}

#[test]
fn offences_are_counted_beyond_the_kept_maximum() {
    let mut story = Story::new();
    story.observe(connected("e-0"));
    for number in 1..=50 {
        story.publish(number, topic("news"), &format!("e-{number}"));
        story.publish(1000 + number, user("bob"), &format!("e-{}", 1000 + number));
    }
    story.observe(Observation::Moved { id: id("e-2000") });
    let oracle = Oracle::new(story.published.clone()).unwrap();
    let clients = [(&story.subscriber, &story.journal())];
    let judgment = oracle.judge(clients);
    assert_eq!(
        (judgment.lost, judgment.offences.len()),
        (50, Oracle::OFFENCES_KEPT)
    );
    let judgment = oracle.offences_kept(1).judge(clients);
    assert_eq!((judgment.lost, judgment.offences.len()), (50, 1));
    let text = judgment.offences[0].to_string();
    assert!(
        text.starts_with("client 0, ") && text.contains("lost, event 1 at e-1: for "),
        "{text}"
    );
    assert!(
        text.contains("from e-0 to e-2000, connected 1 times, received 0 gaps"),
        "{text}"
    );
}

#[test]
fn duplicate_numbers_are_rejected() {
    let twice = [
        Publication::new(7, Target::All),
        Publication::new(7, user("ann")),
    ];
    assert_eq!(Oracle::new(twice).err(), Some(OracleError::SameNumber(7)));
}

#[test]
fn recovery_is_time_to_first_event_after_fault() {
    let mut story = Story::new();
    let fault = |name: &str, story: &mut Story| {
        let (began, ended) = (story.now(), story.now());
        FaultPeriod {
            name: name.to_owned(),
            began,
            ended,
        }
    };
    story.observe(connected("e-0"));
    let one = fault("one", &mut story);
    story.publish(1, Target::All, "e-1");
    story.observe(event(1, "e-1"));
    let two = fault("two", &mut story);
    let three = fault("three", &mut story);
    for number in 2..=9 {
        story.publish(number, Target::All, &format!("e-{number}"));
    }
    story.observe(event(2, "e-2"));
    let oracle = Oracle::new(story.published.clone())
        .unwrap()
        .faults([one, two, three]);
    let late = {
        let mut late = story.clone();
        late.observations.clear();
        late.observe(connected("e-9"));
        late
    };
    let (journal, late_journal) = (story.journal(), late.journal());
    let judgment = oracle.judge([
        (&story.subscriber, &journal),
        (&late.subscriber, &late_journal),
    ]);
    let found: Vec<_> = judgment
        .recoveries
        .iter()
        .map(|it| (&*it.name, it.recovered, it.without, it.max.as_millis()))
        .collect();
    // The second fault was over when the third began, without an event between them.
    assert_eq!(
        found,
        [("one", 1, 0, 2), ("two", 0, 1, 0), ("three", 1, 0, 9)]
    );
}
