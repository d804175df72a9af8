//! The scores of runs.

use std::{collections::HashSet, fmt, time::Duration};

use crate::{
    error::Error,
    journal::Journal,
    observation::Observation,
    oracle::{
        Oracle,
        judgment::{Judgment, Offence, Recovery},
        publications::Publication,
        subscriber::Subscriber,
    },
    plan::{Gaps, Plan},
    run_scenario::RunResult,
};

/// One line of the scoreboard, and the problems of the run.
pub(crate) struct Score {
    pub(crate) name: String,
    pub(crate) judgment: Judgment,
    retried: u64,
    catching_up: Option<Duration>,
    pub(crate) problems: Vec<String>,
}

/// Maximum number of clients whose journals are altered to test the oracle.
const ALTERATIONS: usize = 3;

/// Judges a run. With `sabotage` an event is removed from a client's journal first.
pub(crate) fn judge(
    name: String,
    plan: &Plan,
    mut result: RunResult,
    sabotage: Sabotage,
) -> Result<Score, Error> {
    let oracle = Oracle::new(result.publications.iter().cloned())
        .map_err(|error| Error::new(error.to_string()))?
        .faults(result.faults.iter().cloned());
    let plain = plain(&result);
    if sabotage == Sabotage::Swallow {
        let place = (0..result.clients.len()).find_map(|client| {
            Some((
                client,
                deliveries(&result.clients[client].1, &plain).next()?,
            ))
        });
        let (client, entry) =
            place.ok_or_else(|| Error::new("the journals have no event to remove"))?;
        result.clients[client].1 = without(&result.clients[client].1, entry);
    }
    let judgment = oracle.judge(pairs(&result.clients));
    let mut problems = problems(&judgment, plan);
    if sabotage == Sabotage::None {
        problems.extend(unseen(&oracle, &judgment, &result.clients, &plain));
    }
    let retried = result
        .publications
        .iter()
        .filter(|publication| publication.tries > 1)
        .count() as u64;
    Ok(Score {
        name,
        judgment,
        retried,
        catching_up: result.catching_up.iter().max().copied(),
        problems,
    })
}

/// A loss that is feigned to test the run, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    None,
    /// One client did not record one event.
    Swallow,
}

fn pairs(clients: &[(Subscriber, Journal)]) -> impl Iterator<Item = (&Subscriber, &Journal)> {
    clients
        .iter()
        .map(|(subscriber, journal)| (subscriber, journal))
}

/// Returns all violations of the promise.
fn problems(judgment: &Judgment, plan: &Plan) -> Vec<String> {
    let gaps = judgment.gaps.total();
    let counts = [
        ("lost without a gap", judgment.lost),
        ("not delivered in the end", judgment.undelivered),
        ("duplicates that ids do not reveal", judgment.doubled),
        ("never published", judgment.foreign),
        ("published to others", judgment.misdirected),
        ("under another id than acknowledged", judgment.misplaced),
        ("out of order", judgment.out_of_order),
        ("clients that gave up", judgment.gave_up),
        ("clients that never connected", judgment.never_connected),
        (
            "gaps although no event is missing",
            if plan.gaps() == Gaps::Never { gaps } else { 0 },
        ),
    ];
    let mut problems: Vec<_> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{what}: {count}"))
        .collect();
    if plan.gaps() == Gaps::Surely && gaps == 0 {
        problems.push("no client received a gap".to_owned());
    }
    if judgment.delivered == 0 {
        problems.push("no event was delivered".to_owned());
    }
    if problems.is_empty() && !judgment.is_clean() {
        problems.push("the oracle objects".to_owned());
    }
    problems.extend(judgment.offences.iter().map(described));
    problems
}

fn described(offence: &Offence) -> String {
    let Offence {
        client,
        kind,
        number,
        id,
        at,
        detail,
        ..
    } = offence;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let (number, id) = (
        or_dash(number.map(|number| number.to_string())),
        or_dash(id.as_ref().map(|id| id.to_id().to_string())),
    );
    format!(
        "  {kind:?}: client {client}, event {number}, id {id}, at {:.3} s: {detail}",
        at.as_secs_f64()
    )
}

/// Returns a problem if the oracle did not detect a deliberate alteration. An oracle that finds a
/// run clean must detect altered journals.
fn unseen(
    oracle: &Oracle,
    judgment: &Judgment,
    clients: &[(Subscriber, Journal)],
    plain: &HashSet<u64>,
) -> Option<String> {
    let places = clients.iter().filter_map(|(subscriber, journal)| {
        Some((subscriber, journal, deliveries(journal, plain).next()?))
    });
    let missed = places
        .take(ALTERATIONS)
        .any(|(subscriber, journal, entry)| {
            let honest = oracle.judge([(subscriber, journal)]);
            let lost = oracle.judge([(subscriber, &without(journal, entry))]);
            let doubled = oracle.judge([(subscriber, &with_twice(journal, entry))]);
            lost.lost != honest.lost + 1 || doubled.doubled != honest.doubled + 1
        });
    (missed && judgment.is_clean())
        .then(|| "the oracle did not detect a deliberate alteration".to_owned())
}

/// Returns the events that were sent once and acknowledged. For other events, a second delivery or
/// no delivery can be correct.
fn plain(result: &RunResult) -> HashSet<u64> {
    let is_plain = |event: &&Publication| event.tries == 1 && event.acknowledged.is_some();
    result
        .publications
        .iter()
        .filter(is_plain)
        .map(|event| event.number)
        .collect()
}

/// Returns the indices of plain events after which the same stream delivered another event, so that
/// the client was certainly served beyond them.
fn deliveries(journal: &Journal, plain: &HashSet<u64>) -> impl Iterator<Item = usize> {
    let number = |observation| match observation {
        Observation::Event {
            number,
            id: Some(_),
        } => number,
        _ => None,
    };
    let numbers: Vec<_> = journal
        .entries()
        .map(|entry| number(entry.observation))
        .collect();
    let is_plain = |place: &usize| numbers[*place].is_some_and(|number| plain.contains(&number));
    let is_followed = |place: &usize| matches!(numbers.get(*place + 1), Some(Some(_)));
    let middle = numbers.len() / 2;
    let places = (middle..numbers.len()).chain(0..middle);
    places
        .filter(|place| is_plain(place) && is_followed(place))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Returns a journal without one entry.
fn without(journal: &Journal, place: usize) -> Journal {
    altered(journal, |index| usize::from(index != place))
}

/// Returns a journal with one entry twice.
fn with_twice(journal: &Journal, place: usize) -> Journal {
    altered(journal, |index| 1 + usize::from(index == place))
}

fn altered(journal: &Journal, times: impl Fn(usize) -> usize) -> Journal {
    let mut copy = Journal::new(journal.origin());
    for (index, entry) in journal.entries().enumerate() {
        for _ in 0..times(index) {
            copy.push(journal.origin() + entry.at, entry.observation.clone());
        }
    }
    copy
}

/// Headings of the columns, as a table in Markdown.
pub(crate) const HEAD: &str = "\
| scenario | published | tried again | due | delivered | covered by a gap | lost | doubled | doubles dropped by id | streams | gaps | recovery p50 / p99 / last |
|---|---|---|---|---|---|---|---|---|---|---|---|";

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let judgment = &self.judgment;
        let worst = |time: fn(&Recovery) -> Duration| {
            judgment
                .recoveries
                .iter()
                .map(time)
                .max()
                .unwrap_or_default()
                .as_secs_f64()
        };
        let last = self.catching_up.unwrap_or_default().as_secs_f64();
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} / {:.1} / {last:.1} s |",
            self.name,
            judgment.acknowledged,
            self.retried,
            judgment.due,
            judgment.delivered,
            judgment.covered,
            judgment.lost + judgment.undelivered,
            judgment.doubled,
            judgment.doubled_on_wire,
            judgment.connects,
            judgment.gaps.total(),
            worst(|recovery| recovery.p50),
            worst(|recovery| recovery.p99),
        )
    }
}

#[cfg(test)]
mod tests {
    use sse_core::{
        Target,
        backplane::{Cursor, Epoch, Position},
    };
    use tokio::time::Instant;

    use super::*;
    use crate::{
        fault::{Fault, FaultStep, Lasts, Then},
        observation::{Gap, GapReason},
    };

    fn id(position: u64) -> Cursor {
        Cursor::new(Epoch::new("e").unwrap(), Position::new(position, 0))
    }

    /// Creates ten events for all, and clients that received them.
    fn result(clients: usize) -> RunResult {
        let publication = |number| {
            let mut publication = Publication::new(number, Target::All);
            publication.acknowledge(id(number + 1));
            publication
        };
        let journal = || {
            let mut journal = Journal::new(Instant::now());
            journal.push(
                Instant::now(),
                Observation::Connected {
                    id: Some(id(0)),
                    resumed: false,
                },
            );
            for number in 0..10 {
                journal.push(
                    Instant::now(),
                    Observation::Event {
                        number: Some(number),
                        id: Some(id(number + 1)),
                    },
                );
            }
            journal
        };
        RunResult {
            publications: (0..10).map(publication).collect(),
            clients: (0..clients)
                .map(|_| (Subscriber::default(), journal()))
                .collect(),
            faults: Vec::new(),
            catching_up: vec![Duration::from_secs(1), Duration::from_secs(3)],
        }
    }

    fn plan(fault: Fault) -> Plan {
        let step = FaultStep {
            faults: vec![fault],
            lasts: Lasts::Events(1),
            then: Then::CatchUp,
        };
        Plan {
            steps: vec![step],
            ..Plan::default()
        }
    }

    fn score(fault: Fault, result: RunResult, sabotage: Sabotage) -> Score {
        judge("it".to_owned(), &plan(fault), result, sabotage).unwrap()
    }

    #[test]
    fn clean_run_has_no_problems_and_a_table_row() {
        let score = score(Fault::BrokerKilled, result(3), Sabotage::None);
        assert_eq!(score.problems, [""; 0]);
        let line = score.to_string();
        assert!(
            line.starts_with("| it | 10 | 0 | 30 | 30 | 0 | 0 | 0 | 0 | 3 | 0 | "),
            "{line}"
        );
        assert!(line.ends_with(" 3.0 s |"), "{line}");
        assert_eq!(
            line.matches('|').count(),
            HEAD.lines().next().unwrap().matches('|').count()
        );
    }

    #[test]
    fn lost_event_is_reported_with_client_and_number() {
        let score = score(Fault::BrokerKilled, result(3), Sabotage::Swallow);
        assert_eq!(score.judgment.lost, 1);
        assert_eq!(score.problems[0], "lost without a gap: 1");
        assert!(
            score.problems[1].contains("client 0, event 4"),
            "{:?}",
            score.problems
        );
    }

    #[test]
    fn gaps_are_judged_by_whether_the_log_was_lost() {
        let problems = |fault, result| score(fault, result, Sabotage::None).problems;
        assert_eq!(
            problems(Fault::BrokerLost, result(3)),
            ["no client received a gap"]
        );
        let with_gap = || {
            let mut result = result(3);
            let gap = Gap {
                reason: GapReason::Epoch,
                dropped: None,
                from: Some(id(10)),
                to: Some(id(10)),
            };
            result.clients[0]
                .1
                .push(Instant::now(), Observation::Gap(gap));
            result
        };
        assert_eq!(problems(Fault::BrokerLost, with_gap()), [""; 0]);
        assert_eq!(
            problems(Fault::BrokerKilled, with_gap()),
            ["gaps although no event is missing: 1"]
        );
    }

    #[test]
    fn run_without_deliveries_is_a_problem() {
        let score = score(Fault::BrokerKilled, result(0), Sabotage::None);
        assert_eq!(score.problems, ["no event was delivered"]);
    }

    #[test]
    fn blind_oracle_is_detected() {
        let result = result(1);
        let blind = Oracle::new([]).unwrap();
        let judgment = blind.judge([]);
        assert!(unseen(&blind, &judgment, &result.clients, &plain(&result)).is_some());
    }
}
