//! Histories, correct ones and faulty ones of each kind, and the oracle's verdicts on them.

use sse_chaos::{
    Fault, GapReason, Loss, Observation, OffenceKind, Oracle, OracleError, Publication, Stop,
};
use sse_core::Target;

use crate::story::{Story, connected, event, gap, id, topic, user};

use OffenceKind::{
    Doubled, Foreign, Lost, Malformed, Misdirected, Misplaced, OutOfOrder, Undelivered,
};

/// A description, the story, and the expected offences.
type Case = (&'static str, Story, &'static [(OffenceKind, u64)]);

/// Returns the quiet story with some observations replaced.
fn quiet(change: impl FnOnce(&mut Vec<Observation>)) -> Story {
    let mut story = Story::quiet();
    let times: Vec<_> = story.observations.iter().map(|(at, _)| *at).collect();
    let mut told: Vec<_> = story.observations.drain(..).map(|(_, told)| told).collect();
    change(&mut told);
    let last = *times.last().unwrap();
    story.observations = times
        .into_iter()
        .chain(std::iter::repeat(last))
        .zip(told)
        .collect();
    story
}

/// Returns a story of these events for all, each acknowledged at its position, and of the client's
/// observations.
fn life(published: &[(u64, &str)], told: impl IntoIterator<Item = Observation>) -> Story {
    let mut story = Story::new();
    for (number, at) in published {
        story.publish(*number, Target::All, at);
    }
    told.into_iter().for_each(|told| story.tell(told));
    story
}

/// Marks every publish as tried twice.
fn tried_again(mut story: Story) -> Story {
    story.published.iter_mut().for_each(|it| it.tries = 2);
    story
}

fn lost() -> Observation {
    Observation::Lost(Loss::Broken)
}

fn moved(at: &str) -> Observation {
    Observation::Moved { id: id(at) }
}

const TRIMMED: GapReason = GapReason::Trimmed;
const EPOCH: GapReason = GapReason::Epoch;

#[test]
fn right_histories_are_clean() {
    let four = &[(1, "e-1"), (2, "e-2"), (3, "e-3"), (4, "e-4")];
    let two_logs = &[(1, "e-1"), (2, "e-2"), (3, "f-1"), (4, "f-2"), (5, "f-3")];
    let e = |number: u64| event(number, &format!("e-{number}"));
    let cases = [
        ("nothing happens", life(four, [])),
        ("a quiet life", Story::quiet()),
        ("it came when all was over", life(four, [connected("e-4")])),
        (
            "it came in the middle",
            life(four, [connected("e-2"), e(3), e(4)]),
        ),
        (
            "it came back",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    lost(),
                    connected("e-1"),
                    e(2),
                    e(3),
                    e(4),
                ],
            ),
        ),
        (
            "it came back before an event that it had",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    e(2),
                    lost(),
                    connected("e-1"),
                    e(2),
                    e(3),
                    e(4),
                ],
            ),
        ),
        (
            "the log was trimmed",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    lost(),
                    connected("e-1"),
                    gap(TRIMMED, Some("e-1"), Some("e-3")),
                    e(4),
                ],
            ),
        ),
        (
            "a queue was full",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    gap(GapReason::Overflow, None, Some("e-3")),
                    e(4),
                ],
            ),
        ),
        (
            "a queue was full of what is in no log",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    gap(GapReason::Overflow, None, None),
                    lost(),
                    connected("e-1"),
                    e(2),
                    e(3),
                    e(4),
                ],
            ),
        ),
        (
            "another log",
            life(
                two_logs,
                [
                    connected("e-0"),
                    e(1),
                    gap(EPOCH, Some("e-1"), Some("f-2")),
                    event(5, "f-3"),
                ],
            ),
        ),
        (
            "another log, and a log between that it never saw",
            life(
                &[(1, "e-1"), (2, "f-1"), (3, "g-1"), (4, "g-2")],
                [
                    connected("e-0"),
                    e(1),
                    lost(),
                    connected("e-1"),
                    gap(EPOCH, Some("e-1"), Some("g-1")),
                    event(4, "g-2"),
                ],
            ),
        ),
        (
            "a node that still has the old log",
            life(
                two_logs,
                [
                    connected("e-0"),
                    e(1),
                    e(2),
                    gap(EPOCH, Some("e-2"), Some("f-1")),
                    lost(),
                    connected("f-1"),
                    gap(EPOCH, Some("f-1"), Some("e-2")),
                    gap(EPOCH, Some("e-2"), Some("f-2")),
                    event(5, "f-3"),
                ],
            ),
        ),
        (
            "an id that is none",
            life(
                four,
                [
                    Observation::Connected {
                        id: None,
                        resumed: false,
                    },
                    gap(GapReason::Invalid, None, Some("e-2")),
                    e(3),
                    e(4),
                ],
            ),
        ),
        (
            "a publish that was tried again stands in two logs",
            tried_again(life(
                &[(1, "e-1"), (2, "f-1")],
                [
                    connected("e-0"),
                    e(1),
                    gap(EPOCH, Some("e-1"), Some("f-0")),
                    event(2, "f-1"),
                    event(1, "f-2"),
                ],
            )),
        ),
        (
            "it fell back to the end of the log",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    e(2),
                    moved("e-9"),
                    lost(),
                    connected("e-9"),
                    gap(GapReason::Future, Some("e-9"), Some("e-2")),
                    e(3),
                    e(4),
                ],
            ),
        ),
        (
            "positions of two numbers",
            life(
                &[(1, "e-7.1"), (2, "e-8.0")],
                [connected("e-7.0"), event(1, "e-7.1"), event(2, "e-8.0")],
            ),
        ),
        (
            "it paused and did not return",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    Observation::Paused,
                    lost(),
                    Observation::Stopped(Stop::Asked),
                ],
            ),
        ),
        (
            "it was pausing at times",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    Observation::Paused,
                    Observation::Unpaused,
                    connected("e-1"),
                    e(2),
                    e(3),
                    e(4),
                ],
            ),
        ),
    ];
    for (name, story) in cases {
        assert_eq!(story.offences(), [], "{name}: {:#?}", story.verdict());
    }
}

#[test]
fn faulty_histories_are_found() {
    let three = &[(1, "e-1"), (2, "e-2"), (3, "e-3")];
    let two_logs = &[(1, "e-1"), (2, "e-2"), (3, "f-1"), (4, "f-2"), (5, "f-3")];
    let e = |number: u64| event(number, &format!("e-{number}"));
    let cases: Vec<Case> = vec![
        (
            "one is lost",
            quiet(|told| drop(told.remove(2))),
            &[(Lost, 1)],
        ),
        (
            "all are lost",
            quiet(|told| drop(told.drain(1..5))),
            &[(Lost, 4)],
        ),
        (
            "the last one is lost",
            life(three, [connected("e-0"), e(1), e(2)]),
            &[(Undelivered, 1)],
        ),
        (
            "the last one is lost, as a heartbeat shows",
            life(three, [connected("e-0"), e(1), e(2), moved("e-3")]),
            &[(Lost, 1)],
        ),
        (
            "one is lost between two connections",
            life(
                three,
                [connected("e-0"), e(1), lost(), connected("e-1"), e(3)],
            ),
            &[(Lost, 1)],
        ),
        (
            "one is lost since it came back too far on",
            life(
                three,
                [connected("e-0"), e(1), lost(), connected("e-2"), e(3)],
            ),
            &[(Lost, 1)],
        ),
        (
            "it was served nothing",
            life(three, [connected("e-0")]),
            &[(Undelivered, 3)],
        ),
        (
            "one comes twice",
            quiet(|told| told.insert(2, event(1, "e-2"))),
            &[(Doubled, 1)],
        ),
        (
            "one comes twice, later",
            quiet(|told| told.insert(5, event(1, "e-2"))),
            &[(Doubled, 1)],
        ),
        (
            "one stands in the log twice",
            life(three, [connected("e-0"), e(1), e(2), e(3), event(2, "e-4")]),
            &[(Doubled, 1)],
        ),
        (
            "one that was not acknowledged stands in the log twice",
            quiet(|told| {
                told.insert(4, event(6, "e-7"));
                told.insert(6, event(6, "e-9"));
                told[7] = moved("e-9");
            }),
            &[(Doubled, 1)],
        ),
        (
            "one that was tried once stands in two logs",
            life(
                &[(1, "e-1")],
                [
                    connected("e-0"),
                    e(1),
                    gap(EPOCH, Some("e-1"), Some("f-0")),
                    event(1, "f-1"),
                ],
            ),
            &[(Doubled, 1)],
        ),
        (
            "two are swapped",
            quiet(|told| told.swap(1, 2)),
            &[(OutOfOrder, 1)],
        ),
        (
            "one comes late",
            quiet(|told| told.swap(1, 4)),
            &[(OutOfOrder, 3)],
        ),
        (
            "one comes late, on the next connection",
            life(
                three,
                [connected("e-0"), e(1), e(3), lost(), connected("e-1"), e(2)],
            ),
            &[(OutOfOrder, 1)],
        ),
        (
            "the position goes back",
            quiet(|told| told[5] = moved("e-7")),
            &[(OutOfOrder, 1)],
        ),
        (
            "a gap leads back",
            life(
                three,
                [
                    connected("e-0"),
                    e(1),
                    e(2),
                    gap(TRIMMED, Some("e-0"), Some("e-1")),
                    e(3),
                ],
            ),
            &[(OutOfOrder, 1)],
        ),
        (
            "another log without a gap",
            life(
                &[(1, "e-1"), (3, "f-1")],
                [connected("e-0"), e(1), event(3, "f-1")],
            ),
            &[(OutOfOrder, 1)],
        ),
        (
            "a stream in another log without a gap",
            life(
                &[(1, "e-1"), (3, "f-1")],
                [
                    connected("e-0"),
                    e(1),
                    lost(),
                    connected("f-0"),
                    event(3, "f-1"),
                ],
            ),
            &[(OutOfOrder, 1)],
        ),
        (
            "a log returns",
            life(
                two_logs,
                [
                    connected("e-0"),
                    e(1),
                    gap(EPOCH, Some("e-1"), Some("f-2")),
                    event(5, "f-3"),
                    event(2, "e-2"),
                ],
            ),
            &[(OutOfOrder, 1)],
        ),
        (
            "one is foreign",
            quiet(|told| told.insert(2, event(99, "e-2"))),
            &[(Foreign, 1), (OutOfOrder, 0)],
        ),
        (
            "one has no number",
            quiet(|told| {
                told.insert(
                    5,
                    Observation::Event {
                        number: None,
                        id: Some(id("e-8")),
                    },
                );
            }),
            &[(Foreign, 1)],
        ),
        (
            "one is another user's",
            quiet(|told| told.insert(3, event(3, "e-4"))),
            &[(Misdirected, 1)],
        ),
        (
            "one is of another topic",
            quiet(|told| told.insert(4, event(5, "e-6"))),
            &[(Misdirected, 1)],
        ),
        (
            "one is under another id than its receipt's",
            life(
                &[(1, "e-1"), (2, "e-3")],
                [connected("e-0"), e(1), event(2, "e-2"), moved("e-3")],
            ),
            &[(Misplaced, 1)],
        ),
        (
            "one is under an id of another log than its receipt's",
            life(
                &[(1, "e-1"), (2, "e-3")],
                [
                    connected("e-0"),
                    e(1),
                    gap(EPOCH, Some("e-1"), Some("f-0")),
                    event(2, "f-2"),
                ],
            ),
            &[(Misplaced, 1)],
        ),
        (
            "one has no id",
            life(
                &[(1, "e-1")],
                [
                    connected("e-0"),
                    Observation::Event {
                        number: Some(1),
                        id: None,
                    },
                ],
            ),
            &[(Misplaced, 1)],
        ),
        (
            "a gap ends too early",
            life(
                three,
                [
                    connected("e-0"),
                    gap(TRIMMED, Some("e-0"), Some("e-1")),
                    e(3),
                ],
            ),
            &[(Lost, 1)],
        ),
        (
            "a gap begins too late",
            life(
                three,
                [
                    connected("e-0"),
                    gap(TRIMMED, Some("e-1"), Some("e-2")),
                    e(3),
                ],
            ),
            &[(Lost, 1)],
        ),
        (
            "a gap says nothing of where",
            life(
                three,
                [connected("e-0"), gap(GapReason::Overflow, None, None), e(3)],
            ),
            &[(Lost, 2)],
        ),
        (
            "a gap without a beginning comes after the loss",
            life(
                three,
                [
                    connected("e-0"),
                    e(2),
                    gap(GapReason::Overflow, None, Some("e-3")),
                ],
            ),
            &[(Lost, 1)],
        ),
        (
            "a gap to another log does not cover what it had been served beyond",
            life(
                two_logs,
                [
                    connected("e-0"),
                    e(2),
                    gap(EPOCH, Some("e-2"), Some("f-2")),
                    event(5, "f-3"),
                ],
            ),
            &[(Lost, 1)],
        ),
        (
            "a gap to another log claims more than it was served",
            life(
                two_logs,
                [
                    connected("e-0"),
                    e(1),
                    gap(EPOCH, Some("e-2"), Some("f-2")),
                    event(5, "f-3"),
                ],
            ),
            &[(Lost, 1)],
        ),
        (
            "what follows a gap to another log is lost",
            life(
                two_logs,
                [
                    connected("e-0"),
                    e(1),
                    gap(EPOCH, Some("e-1"), Some("f-1")),
                    event(5, "f-3"),
                ],
            ),
            &[(Lost, 1)],
        ),
        (
            "what follows the return from a node that still has the old log is lost",
            life(
                two_logs,
                [
                    connected("f-1"),
                    gap(EPOCH, Some("f-1"), Some("e-2")),
                    gap(EPOCH, Some("e-2"), Some("f-2")),
                    moved("f-3"),
                ],
            ),
            &[(Lost, 1)],
        ),
        (
            "what follows a fall to the end of the log is lost",
            life(
                three,
                [
                    connected("e-0"),
                    moved("e-9"),
                    gap(GapReason::Future, Some("e-9"), Some("e-1")),
                    e(3),
                ],
            ),
            // The event up to which the server fell back from `e-9`, and the event that the client
            // was served beyond afterwards.
            &[(Lost, 2)],
        ),
        (
            "the transfer coding is broken",
            life(
                three,
                [
                    connected("e-0"),
                    e(1),
                    e(2),
                    e(3),
                    Observation::Lost(Loss::Malformed),
                ],
            ),
            &[(Malformed, 1)],
        ),
        (
            "it gave up",
            life(
                three,
                [
                    connected("e-0"),
                    e(1),
                    Observation::Lost(Loss::Ended),
                    Observation::Stopped(Stop::Refused(403)),
                ],
            ),
            &[(Undelivered, 2)],
        ),
    ];
    for (name, story, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .copied()
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(story.offences(), expected, "{name}: {:#?}", story.verdict());
    }
}

#[test]
fn what_is_counted() {
    let verdict = Story::quiet().verdict();
    assert_eq!(
        (verdict.clients, verdict.never_connected, verdict.gave_up),
        (1, 0, 0)
    );
    assert_eq!((verdict.published, verdict.acknowledged), (8, 7));
    assert_eq!((verdict.due, verdict.delivered, verdict.covered), (4, 4, 0));
    assert_eq!(
        (verdict.connects, verdict.resumed, verdict.gaps.total()),
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
            Observation::Stopped(Stop::StayAway),
        ],
    );
    let verdict = story.verdict();
    assert!(verdict.is_clean(), "{verdict:#?}");
    assert_eq!(
        (
            verdict.due,
            verdict.delivered,
            verdict.covered,
            verdict.doubled_on_wire
        ),
        (4, 2, 2, 1)
    );
    assert_eq!(
        (verdict.connects, verdict.resumed, verdict.gave_up),
        (2, 1, 1)
    );
    assert_eq!((verdict.degraded, verdict.restored), (1, 1));
    assert_eq!(
        (
            verdict.gaps.of(TRIMMED),
            verdict.gaps.of(EPOCH),
            verdict.gaps.total()
        ),
        (1, 0, 1)
    );
}

#[test]
fn who_left_has_no_claim_to_the_rest_but_to_what_was_before() {
    let e = |number: u64| event(number, &format!("e-{number}"));
    let published = [(1, "e-1"), (2, "e-2"), (3, "e-3")];
    let mut story = life(
        &published,
        [connected("e-0"), e(1), Observation::Stopped(Stop::Asked)],
    );
    assert_eq!(story.offences(), [(Undelivered, 2)]);
    story.subscriber.left_early = true;
    assert_eq!(story.offences(), []);
    assert_eq!(story.verdict().due, 1);
    let mut story = life(
        &published,
        [connected("e-0"), e(2), Observation::Stopped(Stop::Asked)],
    );
    story.subscriber.left_early = true;
    assert_eq!(story.offences(), [(Lost, 1)]);
}

#[test]
fn what_is_acknowledged_after_the_end_is_not_due() {
    let mut story = life(
        &[(1, "e-1")],
        [
            connected("e-0"),
            event(1, "e-1"),
            Observation::Stopped(Stop::Asked),
        ],
    );
    story.publish(2, Target::All, "e-2");
    assert_eq!(story.offences(), []);
    story.observations.pop();
    assert_eq!(story.offences(), [(Undelivered, 1)]);
}

#[test]
fn only_so_many_offences_are_kept_and_all_are_counted() {
    let mut story = Story::new();
    story.tell(connected("e-0"));
    for number in 1..=50 {
        story.publish(number, topic("news"), &format!("e-{number}"));
        story.publish(1000 + number, user("bob"), &format!("e-{}", 1000 + number));
    }
    story.tell(Observation::Moved { id: id("e-2000") });
    let oracle = Oracle::new(story.published.clone()).unwrap();
    let clients = [(&story.subscriber, &story.journal())];
    let verdict = oracle.judge(clients);
    assert_eq!(
        (verdict.lost, verdict.offences.len()),
        (50, Oracle::OFFENCES_KEPT)
    );
    let verdict = oracle.offences_kept(1).judge(clients);
    assert_eq!((verdict.lost, verdict.offences.len()), (50, 1));
    let text = verdict.offences[0].to_string();
    assert!(
        text.starts_with("client 0, ") && text.contains("lost, event 1 at e-1: for "),
        "{text}"
    );
    assert!(
        text.contains("from e-0 to e-2000, connected 1 times, told of 0 gaps"),
        "{text}"
    );
}

#[test]
fn numbers_are_given_once() {
    let twice = [
        Publication::new(7, Target::All),
        Publication::new(7, user("ann")),
    ];
    assert_eq!(Oracle::new(twice).err(), Some(OracleError::SameNumber(7)));
}

#[test]
fn recovery_is_the_time_to_the_first_event_after_a_fault() {
    let mut story = Story::new();
    let fault = |name: &str, story: &mut Story| {
        let (began, ended) = (story.now(), story.now());
        Fault {
            name: name.to_owned(),
            began,
            ended,
        }
    };
    story.tell(connected("e-0"));
    let one = fault("one", &mut story);
    story.publish(1, Target::All, "e-1");
    story.tell(event(1, "e-1"));
    let two = fault("two", &mut story);
    let three = fault("three", &mut story);
    for number in 2..=9 {
        story.publish(number, Target::All, &format!("e-{number}"));
    }
    story.tell(event(2, "e-2"));
    let oracle = Oracle::new(story.published.clone())
        .unwrap()
        .faults([one, two, three]);
    let late = {
        let mut late = story.clone();
        late.observations.clear();
        late.tell(connected("e-9"));
        late
    };
    let (journal, late_journal) = (story.journal(), late.journal());
    let verdict = oracle.judge([
        (&story.subscriber, &journal),
        (&late.subscriber, &late_journal),
    ]);
    let found: Vec<_> = verdict
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
