//! Faulty histories of each kind, and the offences that the oracle finds in them.

use sse_chaos::{GapReason, Loss, Observation, OffenceKind, StopReason};
use sse_core::Target;

use crate::story::{Story, connected, event, gap, id};

use OffenceKind::{
    Doubled, Foreign, Lost, Malformed, Misdirected, Misplaced, OutOfOrder, Undelivered,
};

/// A description, the story, and the expected offences.
type Case = (&'static str, Story, &'static [(OffenceKind, u64)]);

/// Returns the quiet story with some observations replaced.
pub(crate) fn quiet(change: impl FnOnce(&mut Vec<Observation>)) -> Story {
    let mut story = Story::quiet();
    let times: Vec<_> = story.observations.iter().map(|(at, _)| *at).collect();
    let mut observations: Vec<_> = story
        .observations
        .drain(..)
        .map(|(_, observation)| observation)
        .collect();
    change(&mut observations);
    let last = *times.last().unwrap();
    story.observations = times
        .into_iter()
        .chain(std::iter::repeat(last))
        .zip(observations)
        .collect();
    story
}

/// Returns a story of these events for all, each acknowledged at its position, and of the client's
/// observations.
pub(crate) fn life(
    published: &[(u64, &str)],
    observations: impl IntoIterator<Item = Observation>,
) -> Story {
    let mut story = Story::new();
    for (number, at) in published {
        story.publish(*number, Target::All, at);
    }
    observations
        .into_iter()
        .for_each(|observation| story.observe(observation));
    story
}

/// Marks every publish as tried twice.
pub(crate) fn tried_again(mut story: Story) -> Story {
    story.published.iter_mut().for_each(|it| it.tries = 2);
    story
}

pub(crate) fn lost() -> Observation {
    Observation::Lost(Loss::Broken)
}

pub(crate) fn moved(at: &str) -> Observation {
    Observation::Moved { id: id(at) }
}

pub(crate) const TRIMMED: GapReason = GapReason::Trimmed;
pub(crate) const EPOCH: GapReason = GapReason::Epoch;

#[test]
fn faulty_histories_are_found() {
    let three = &[(1, "e-1"), (2, "e-2"), (3, "e-3")];
    let two_logs = &[(1, "e-1"), (2, "e-2"), (3, "f-1"), (4, "f-2"), (5, "f-3")];
    let e = |number: u64| event(number, &format!("e-{number}"));
    let cases: Vec<Case> = vec![
        (
            "an event is lost",
            quiet(|observations| drop(observations.remove(2))),
            &[(Lost, 1)],
        ),
        (
            "all events are lost",
            quiet(|observations| drop(observations.drain(1..5))),
            &[(Lost, 4)],
        ),
        (
            "the last event is lost",
            life(three, [connected("e-0"), e(1), e(2)]),
            &[(Undelivered, 1)],
        ),
        (
            "the last event is lost, as a heartbeat shows",
            life(three, [connected("e-0"), e(1), e(2), moved("e-3")]),
            &[(Lost, 1)],
        ),
        (
            "an event is lost between two connections",
            life(
                three,
                [connected("e-0"), e(1), lost(), connected("e-1"), e(3)],
            ),
            &[(Lost, 1)],
        ),
        (
            "an event is lost because the client resumed too late",
            life(
                three,
                [connected("e-0"), e(1), lost(), connected("e-2"), e(3)],
            ),
            &[(Lost, 1)],
        ),
        (
            "the client received no event",
            life(three, [connected("e-0")]),
            &[(Undelivered, 3)],
        ),
        (
            "an event arrives twice",
            quiet(|observations| observations.insert(2, event(1, "e-2"))),
            &[(Doubled, 1)],
        ),
        (
            "an event arrives twice, later",
            quiet(|observations| observations.insert(5, event(1, "e-2"))),
            &[(Doubled, 1)],
        ),
        (
            "an event is in the log twice",
            life(three, [connected("e-0"), e(1), e(2), e(3), event(2, "e-4")]),
            &[(Doubled, 1)],
        ),
        (
            "an unacknowledged event is in the log twice",
            quiet(|observations| {
                observations.insert(4, event(6, "e-7"));
                observations.insert(6, event(6, "e-9"));
                observations[7] = moved("e-9");
            }),
            &[(Doubled, 1)],
        ),
        (
            "an event of one attempt is in two logs",
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
            "two events are swapped",
            quiet(|observations| observations.swap(1, 2)),
            &[(OutOfOrder, 1)],
        ),
        (
            "an event arrives late",
            quiet(|observations| observations.swap(1, 4)),
            &[(OutOfOrder, 3)],
        ),
        (
            "an event arrives late, on the next connection",
            life(
                three,
                [connected("e-0"), e(1), e(3), lost(), connected("e-1"), e(2)],
            ),
            &[(OutOfOrder, 1)],
        ),
        (
            "the position moves backward",
            quiet(|observations| observations[5] = moved("e-7")),
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
            "an event was not published",
            quiet(|observations| observations.insert(2, event(99, "e-2"))),
            &[(Foreign, 1), (OutOfOrder, 0)],
        ),
        (
            "an event has no number",
            quiet(|observations| {
                observations.insert(
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
            "an event is another user's",
            quiet(|observations| observations.insert(3, event(3, "e-4"))),
            &[(Misdirected, 1)],
        ),
        (
            "an event is of another topic",
            quiet(|observations| observations.insert(4, event(5, "e-6"))),
            &[(Misdirected, 1)],
        ),
        (
            "an event has another id than its receipt",
            life(
                &[(1, "e-1"), (2, "e-3")],
                [connected("e-0"), e(1), event(2, "e-2"), moved("e-3")],
            ),
            &[(Misplaced, 1)],
        ),
        (
            "an event has an id of another log than its receipt",
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
            "an event has no id",
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
            "a gap has no positions",
            life(
                three,
                [connected("e-0"), gap(GapReason::Overflow, None, None), e(3)],
            ),
            &[(Lost, 2)],
        ),
        (
            "a gap without a start arrives after the loss",
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
            "a gap to another log does not cover earlier losses",
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
            "a gap to another log claims more than was served",
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
            "an event after a gap to another log is lost",
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
            "an event after the return to the new log is lost",
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
            "an event after a resume at the end of the log is lost",
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
            "the client gave up",
            life(
                three,
                [
                    connected("e-0"),
                    e(1),
                    Observation::Lost(Loss::Ended),
                    Observation::Stopped(StopReason::Refused(403)),
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
        assert_eq!(
            story.offences(),
            expected,
            "{name}: {:#?}",
            story.judgment()
        );
    }
}
