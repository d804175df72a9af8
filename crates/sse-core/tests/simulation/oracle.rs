//! The properties that must hold after every run.

use std::collections::HashSet;

use sse_core::{
    Target,
    backplane::{Cursor, Epoch, Position},
};

use crate::client::{Client, Received};

/// An event of a publish that was tried.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) target: Target,
    pub(crate) is_logged: bool,
    /// Position of the event, once it was acknowledged.
    pub(crate) cursor: Option<Cursor>,
}

/// Counts of one seed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) published: usize,
    pub(crate) acknowledged: usize,
    pub(crate) delivered: usize,
    pub(crate) covered_by_gaps: usize,
    pub(crate) connections: usize,
    pub(crate) resumed: usize,
    pub(crate) trimmed: usize,
    pub(crate) epochs: usize,
    pub(crate) futures: usize,
    pub(crate) overflows: usize,
    /// Number of overflows that dropped a logged event.
    pub(crate) dropped: usize,
    pub(crate) degraded: usize,
    pub(crate) damaged: usize,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.acknowledged += other.acknowledged;
        self.delivered += other.delivered;
        self.covered_by_gaps += other.covered_by_gaps;
        self.connections += other.connections;
        self.resumed += other.resumed;
        self.trimmed += other.trimmed;
        self.epochs += other.epochs;
        self.futures += other.futures;
        self.overflows += other.overflows;
        self.dropped += other.dropped;
        self.degraded += other.degraded;
        self.damaged += other.damaged;
    }

    /// Asserts that failures occurred: a simulation without failures proves nothing.
    pub(crate) fn assert_covered(&self) {
        let rare = [
            self.acknowledged,
            self.covered_by_gaps,
            self.resumed,
            self.trimmed,
            self.epochs,
            self.degraded,
            self.dropped,
            self.damaged,
        ];
        assert!(rare.iter().all(|count| *count > 50), "{self:?}");
        assert!(self.delivered > self.covered_by_gaps, "{self:?}");
        assert!(self.acknowledged < self.published, "{self:?}");
    }
}

/// Checks that every acknowledged event was delivered exactly once to every stream that should have
/// it, in order, or that the stream received a gap that covers it.
///
/// `epochs` are the epochs of the log, in order.
pub(crate) fn check(clients: &[Client], published: &[Published], epochs: &[Epoch]) -> Totals {
    let acknowledged = published.iter().filter(|it| it.cursor.is_some()).count();
    let mut totals = Totals {
        published: published.len(),
        acknowledged,
        ..Totals::default()
    };
    for client in clients {
        check_order(client);
        check_client(client, published, epochs, &mut totals);
        let mut is_resumed = false;
        for received in &client.received {
            match received {
                Received::Connected { resumed, .. } => {
                    totals.connections += 1;
                    totals.resumed += usize::from(*resumed);
                    is_resumed = *resumed;
                }
                // A queue was full. If the gap has no position, the client receives logged events
                // again when it returns.
                Received::Gap { reason, to, .. } if reason == "overflow" => {
                    totals.overflows += 1;
                    totals.dropped += usize::from(to.is_some());
                }
                Received::Gap { reason, .. } => match reason.as_str() {
                    "trimmed" => totals.trimmed += 1,
                    "damaged" => totals.damaged += 1,
                    "epoch" => totals.epochs += 1,
                    "future" => {
                        assert!(
                            !is_resumed,
                            "a stream was complete before its id was known: {client:#?}"
                        );
                        totals.futures += 1;
                    }
                    other => panic!("unknown reason of a gap: {other}"),
                },
                Received::Other(name) => totals.degraded += usize::from(name == "degraded"),
                Received::Event { .. } => totals.delivered += 1,
            }
        }
    }
    totals
}

fn check_client(client: &Client, published: &[Published], epochs: &[Epoch], totals: &mut Totals) {
    let mut had = HashSet::new();
    let mut in_a_log = HashSet::new();
    for received in &client.received {
        if let Received::Event { number, id } = received {
            had.insert(*number);
            // The keys are lost together with the log, so the next log can also have a publish that
            // is retried.
            let epoch = id.as_ref().and_then(|id| id.split('-').next());
            assert!(
                in_a_log.insert((*number, epoch)),
                "event {number} was delivered twice: {client:#?}"
            );
            let it = &published[usize::try_from(*number).expect("the number fits into usize")];
            assert!(
                client.is_meant_by(&it.target),
                "event {number} is for another client: {client:#?}"
            );
        }
    }
    let Some(began) = client.began() else { return };
    for (number, it) in published.iter().enumerate() {
        let Some(cursor) = it.cursor.as_ref().filter(|_| it.is_logged) else {
            continue;
        };
        if had.contains(&(number as u64)) || !client.is_meant_by(&it.target) {
            continue;
        }
        if place(cursor, epochs) <= place(&began, epochs) {
            continue;
        }
        assert!(
            client
                .received
                .iter()
                .any(|received| covers(received, cursor, epochs)),
            "event {number} at {cursor} was lost without a gap: {client:#?}"
        );
        totals.covered_by_gaps += 1;
    }
}

/// Returns the log of a cursor and the position in it.
fn place(cursor: &Cursor, epochs: &[Epoch]) -> (Option<usize>, Position) {
    (
        epochs.iter().position(|it| *it == cursor.epoch),
        cursor.position,
    )
}

/// Returns `true` if a gap covers the entry at a cursor.
fn covers(received: &Received, at: &Cursor, epochs: &[Epoch]) -> bool {
    let Received::Gap { reason, from, to } = received else {
        return false;
    };
    let parse = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Cursor>().ok());
    let (from, Some(to)) = (parse(from), parse(to)) else {
        return false;
    };
    match reason.as_str() {
        // The event about a replaced log can have been dropped as well.
        "overflow" => place(at, epochs) <= place(&to, epochs),
        "trimmed" | "damaged" => {
            to.epoch == at.epoch
                && at.position <= to.position
                && from.is_some_and(|from| from.epoch == at.epoch && from.position < at.position)
        }
        // In an earlier log, or in the new log before the point at which its streams continued.
        _ => to.epoch != at.epoch || at.position <= to.position,
    }
}

/// Checks that ids never go back within a log, and that logs follow each other. Dropped events
/// count at their positions.
fn check_order(client: &Client) {
    let mut last: Option<Cursor> = None;
    let mut left = HashSet::new();
    for received in &client.received {
        let (id, is_event) = match received {
            Received::Event { id: Some(id), .. } => (id, true),
            Received::Gap {
                reason,
                to: Some(to),
                ..
            } if reason == "overflow" => (to, false),
            _ => continue,
        };
        let cursor: Cursor = id.parse().expect("ids are cursors");
        assert!(
            !left.contains(&cursor.epoch),
            "{received:?} is from a replaced log: {client:#?}"
        );
        if let Some(last) = last.take() {
            if last.epoch == cursor.epoch {
                let goes_on = if is_event {
                    last.position < cursor.position
                } else {
                    last.position <= cursor.position
                };
                assert!(
                    goes_on,
                    "{received:?} is before an earlier position: {client:#?}"
                );
            } else {
                left.insert(last.epoch);
            }
        }
        last = Some(cursor);
    }
}
