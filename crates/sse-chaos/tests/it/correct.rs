//! Correct histories, in which the oracle finds nothing.

use sse_chaos::{GapReason, Observation, StopReason};

use crate::story::{Story, connected, event, gap};

use crate::faulty::{EPOCH, TRIMMED, life, lost, moved, tried_again};

#[test]
fn correct_histories_are_clean() {
    let four = &[(1, "e-1"), (2, "e-2"), (3, "e-3"), (4, "e-4")];
    let two_logs = &[(1, "e-1"), (2, "e-2"), (3, "f-1"), (4, "f-2"), (5, "f-3")];
    let e = |number: u64| event(number, &format!("e-{number}"));
    let cases = [
        ("nothing happens", life(four, [])),
        ("a quiet life", Story::quiet()),
        (
            "the client connected after the last event",
            life(four, [connected("e-4")]),
        ),
        (
            "the client connected between events",
            life(four, [connected("e-2"), e(3), e(4)]),
        ),
        (
            "the client reconnected",
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
            "the client resumed before an event that it had",
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
            "a full queue lost logged events",
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
            "a full queue lost unlogged events",
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
            "the log changed",
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
            "the log changed twice between two connections",
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
            "an invalid id",
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
            "a retried publish is in two logs",
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
            "the client resumed at the end of the log",
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
            "positions have two numbers",
            life(
                &[(1, "e-7.1"), (2, "e-8.0")],
                [connected("e-7.0"), event(1, "e-7.1"), event(2, "e-8.0")],
            ),
        ),
        (
            "the client paused and did not return",
            life(
                four,
                [
                    connected("e-0"),
                    e(1),
                    Observation::Paused,
                    lost(),
                    Observation::Stopped(StopReason::Asked),
                ],
            ),
        ),
        (
            "the client paused at times",
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
        assert_eq!(story.offences(), [], "{name}: {:#?}", story.judgment());
    }
}
