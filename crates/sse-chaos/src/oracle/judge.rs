//! The judgment of one client.

use std::time::Duration;

use sse_core::backplane::Cursor;
use tokio::time::Instant;

use crate::{
    journal::{Journal, JournalPosition, StepKind},
    observation::{Gap, GapReason, Loss, Observation, StopReason},
    oracle::{
        epochs::EpochOrder,
        gap_coverage::{GapCoverage, Served},
        judgment::{Judgment, Offence, OffenceKind},
        publications::{Publication, Publications},
        recovery::Recoveries,
        subscriber::Subscriber,
    },
};

/// The facts that are known before any client is judged.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    publications: &'a Publications,
    epochs: &'a EpochOrder,
    /// Position of each publication, if it was acknowledged.
    places: Vec<Option<JournalPosition>>,
    /// Scratch space: the last delivery of each publication to one client.
    had: Vec<Option<Had>>,
    offences_kept: usize,
}

/// A delivery of a publication to a client.
#[derive(Debug, Clone, Copy)]
struct Had {
    /// The client's connection that last delivered the publication.
    connection: u32,
    /// Position of the delivery; `None` without an id.
    at: Option<JournalPosition>,
}

/// The judge of one client.
pub(crate) struct Judge<'a, 'w> {
    client: usize,
    subscriber: &'a Subscriber,
    journal: &'a Journal,
    publications: &'w Publications,
    offences_kept: usize,
    epochs: &'w EpochOrder,
    places: &'a [Option<JournalPosition>],
    had: &'a mut [Option<Had>],
    judgment: &'a mut Judgment,
    /// For each target, `true` if the target includes this client.
    is_meant: Vec<bool>,
    /// The oracle's index of each of the journal's epochs.
    epoch_of: Vec<u32>,
    connection: u32,
    began: Option<JournalPosition>,
    /// Position of the connection in the log.
    at: Option<JournalPosition>,
    served: Served,
    coverage: GapCoverage,
    connected_at: Option<Instant>,
    events_at: Vec<Instant>,
    gaps: u32,
    is_paused: bool,
    stopped_at: Option<Instant>,
}

impl<'w> Evidence<'w> {
    pub(crate) fn new(
        publications: &'w Publications,
        epochs: &'w EpochOrder,
        offences_kept: usize,
    ) -> Self {
        let place = |it: &Publication| epochs.place(&it.acknowledged.as_ref()?.id);
        let places = publications.all.iter().map(place).collect();
        Self {
            publications,
            epochs,
            places,
            had: vec![None; publications.all.len()],
            offences_kept,
        }
    }
}

impl<'a, 'w> Judge<'a, 'w> {
    pub(crate) fn of(
        client: usize,
        subscriber: &'a Subscriber,
        journal: &'a Journal,
        evidence: &'a mut Evidence<'w>,
        judgment: &'a mut Judgment,
    ) -> Self {
        let Evidence {
            publications,
            epochs,
            places,
            had,
            offences_kept,
        } = evidence;
        had.fill(None);
        Self {
            client,
            subscriber,
            journal,
            publications,
            offences_kept: *offences_kept,
            epochs,
            places,
            had,
            judgment,
            is_meant: publications
                .targets
                .iter()
                .map(|target| subscriber.is_meant_by(target))
                .collect(),
            epoch_of: epochs.of(journal),
            connection: 0,
            began: None,
            at: None,
            served: Served::default(),
            coverage: GapCoverage::default(),
            connected_at: None,
            events_at: Vec::new(),
            gaps: 0,
            is_paused: false,
            stopped_at: None,
        }
    }

    pub(crate) fn hold(mut self, recoveries: &mut Recoveries<'_>) {
        for step in self.journal.steps() {
            let time = step.at;
            match &step.kind {
                StepKind::Event { number, at } => {
                    if !recoveries.is_empty() {
                        self.events_at.push(self.journal.origin() + time);
                    }
                    self.event(time, *number, at.map(|at| self.of_journal(at)));
                }
                StepKind::Moved(at) => self.moved(time, self.of_journal(*at)),
                StepKind::Note(observation) => self.note(time, observation),
            }
        }
        if self.began.is_none() {
            self.judgment.never_connected += 1;
        }
        for index in 0..self.places.len() {
            self.settle(index);
        }
        if let Some(since) = self.connected_at {
            recoveries.note(since, &self.events_at);
        }
    }

    /// Converts a position of the journal: the oracle numbers the epochs in another order.
    fn of_journal(&self, at: JournalPosition) -> JournalPosition {
        JournalPosition {
            epoch: self.epoch_of[at.epoch as usize],
            ..at
        }
    }

    fn note(&mut self, time: Duration, observation: &Observation) {
        match observation {
            Observation::Connected { id, resumed } => {
                self.connection += 1;
                self.connected_at
                    .get_or_insert(self.journal.origin() + time);
                self.judgment.connects += 1;
                self.judgment.resumed += u64::from(*resumed);
                self.connected(time, id.as_ref());
            }
            Observation::Gap(gap) => self.gap(time, gap),
            Observation::Degraded => self.judgment.degraded += 1,
            Observation::Restored => self.judgment.restored += 1,
            Observation::Lost(Loss::Malformed) => {
                self.offend(
                    OffenceKind::Malformed,
                    time,
                    None,
                    None,
                    "the transfer coding is broken".into(),
                );
            }
            Observation::Paused => self.is_paused = true,
            Observation::Unpaused => self.is_paused = false,
            Observation::Stopped(stop) => {
                self.stopped_at = Some(self.journal.origin() + time);
                self.judgment.gave_up += u64::from(*stop != StopReason::Asked);
            }
            Observation::Lost(_) | Observation::Event { .. } | Observation::Moved { .. } => {}
        }
    }

    fn connected(&mut self, time: Duration, id: Option<&Cursor>) {
        let Some(place) = id.and_then(|id| self.epochs.place(id)) else {
            return;
        };
        let is_other_log = self.at.is_some_and(|at| at.epoch != place.epoch);
        if is_other_log {
            self.out_of_order(
                time,
                None,
                place,
                "a stream begins in another log than the client was in, without a gap",
            );
        }
        // A connection begins at the position that the server reports, even if an earlier
        // connection was served further.
        self.go_to(place);
    }

    fn gap(&mut self, time: Duration, gap: &Gap) {
        self.gaps += 1;
        self.judgment.gaps.count_one(gap.reason);
        let place = |id: &Option<Cursor>| id.as_ref().and_then(|id| self.epochs.place(id));
        let Some(to) = place(&gap.to) else { return };
        self.coverage
            .add(place(&gap.from).or(self.at), to, &self.served);
        if gap.reason == GapReason::Future {
            self.served.fall_back(to);
        } else if self
            .at
            .is_some_and(|at| at.epoch == to.epoch && to.position < at.position)
        {
            self.out_of_order(time, None, to, "a gap leads back");
        }
        self.go_to(to);
    }

    fn moved(&mut self, time: Duration, to: JournalPosition) {
        match self.at {
            Some(at) if at.epoch != to.epoch => {
                self.out_of_order(
                    time,
                    None,
                    to,
                    "the position moves to another log without a gap",
                );
            }
            Some(at) if to.position < at.position => {
                self.out_of_order(time, None, to, "the position moves backward");
            }
            _ => {}
        }
        self.go_to(to);
    }

    fn event(&mut self, time: Duration, number: Option<u64>, at: Option<JournalPosition>) {
        let index = number
            .and_then(|number| self.publications.by_number.get(&number))
            .copied();
        let Some(index) = index else {
            self.offend(
                OffenceKind::Foreign,
                time,
                number,
                at,
                "the event was not published".into(),
            );
            at.into_iter().for_each(|at| self.go_to(at));
            return;
        };
        let target = self.publications.target_of[index];
        if !self.is_meant[target] {
            let detail = format!(
                "the event was published to {:?}",
                self.publications.targets[target]
            );
            self.offend(OffenceKind::Misdirected, time, number, at, detail);
        }
        match self.had[index] {
            None => self.first(time, index, at),
            Some(before) => self.again(time, index, before, at),
        }
        self.had[index] = Some(Had {
            connection: self.connection,
            at,
        });
        at.into_iter().for_each(|at| self.go_to(at));
    }

    /// Judges an event that arrives for the first time.
    fn first(&mut self, time: Duration, index: usize, at: Option<JournalPosition>) {
        let publication = &self.publications.all[index];
        let number = Some(publication.number);
        let Some(at) = at else {
            return self.offend(
                OffenceKind::Misplaced,
                time,
                number,
                None,
                "the event has no position in the log".into(),
            );
        };
        match self.at {
            Some(now) if now.epoch != at.epoch => {
                self.out_of_order(
                    time,
                    number,
                    at,
                    "the event is from another log, without a gap",
                );
            }
            _ if at.position <= self.served.in_epoch(at.epoch) => {
                self.out_of_order(
                    time,
                    number,
                    at,
                    "later events were served before this event",
                );
            }
            Some(now) if at.position <= now.position => {
                self.out_of_order(
                    time,
                    number,
                    at,
                    "the event precedes the position of the connection",
                );
            }
            _ => {}
        }
        let Some(acknowledged) = self.places[index] else {
            return;
        };
        let may_stand_in_two_logs = publication.tries > 1 && acknowledged.epoch != at.epoch;
        if acknowledged != at && !may_stand_in_two_logs {
            let detail = format!(
                "the event was acknowledged at {}",
                self.epochs.cursor(acknowledged)
            );
            self.offend(OffenceKind::Misplaced, time, number, Some(at), detail);
        }
    }

    /// Judges an event that the client has received before.
    fn again(&mut self, time: Duration, index: usize, before: Had, at: Option<JournalPosition>) {
        let publication = &self.publications.all[index];
        let number = Some(publication.number);
        let is_elsewhere = |before: JournalPosition, at: JournalPosition| before.epoch != at.epoch;
        if before.at == at && before.connection != self.connection {
            self.judgment.doubled_on_wire += 1;
        } else if before
            .at
            .zip(at)
            .is_some_and(|(before, at)| is_elsewhere(before, at))
            && publication.tries > 1
        {
            self.judgment.repeated += 1;
        } else {
            let detail = match before.at {
                Some(before) if Some(before) != at => {
                    format!(
                        "the event was delivered before, at {}",
                        self.epochs.cursor(before)
                    )
                }
                _ => "the event was delivered before on the same connection".to_owned(),
            };
            return self.offend(OffenceKind::Doubled, time, number, at, detail);
        }
        match self.at.zip(at) {
            Some((now, at)) if now.epoch != at.epoch => {
                self.out_of_order(
                    time,
                    number,
                    at,
                    "the event is from another log, without a gap",
                );
            }
            Some((now, at)) if at.position <= now.position => {
                self.out_of_order(
                    time,
                    number,
                    at,
                    "the event precedes the position of the connection",
                );
            }
            _ => {}
        }
    }

    /// Judges what became of a publication in the end.
    fn settle(&mut self, index: usize) {
        let publication = &self.publications.all[index];
        let (Some(place), Some(acknowledged)) = (self.places[index], &publication.acknowledged)
        else {
            return;
        };
        if !self.is_meant[self.publications.target_of[index]] || !self.is_after_the_beginning(place)
        {
            return;
        }
        let was_served_beyond = self.was_served_beyond(place);
        let outcome = if self.had[index].is_some() {
            &mut self.judgment.delivered
        } else if self.coverage.covers(place) {
            &mut self.judgment.covered
        } else if was_served_beyond || self.has_claim(acknowledged.at) {
            let kind = if was_served_beyond {
                OffenceKind::Lost
            } else {
                OffenceKind::Undelivered
            };
            self.judgment.due += 1;
            let time = acknowledged
                .at
                .saturating_duration_since(self.journal.origin());
            return self.offend(
                kind,
                time,
                Some(publication.number),
                Some(place),
                self.circumstances(publication),
            );
        } else {
            return;
        };
        *outcome += 1;
        self.judgment.due += 1;
    }

    fn is_after_the_beginning(&self, place: JournalPosition) -> bool {
        self.began.is_some_and(|began| {
            let is_same = began.epoch == place.epoch;
            began.epoch < place.epoch || (is_same && began.position < place.position)
        })
    }

    fn was_served_beyond(&self, place: JournalPosition) -> bool {
        let is_over = self.at.is_some_and(|at| at.epoch > place.epoch);
        is_over || place.position <= self.served.in_epoch(place.epoch)
    }

    /// Returns `true` if an event that was acknowledged at that time had to reach the client.
    fn has_claim(&self, acknowledged_at: Instant) -> bool {
        let was_there = self
            .stopped_at
            .is_none_or(|stopped| acknowledged_at <= stopped);
        was_there && !self.is_paused && !self.subscriber.left_early
    }

    fn circumstances(&self, publication: &Publication) -> String {
        let cursor = |place: Option<JournalPosition>| {
            place.map_or("nowhere".into(), |at| self.epochs.cursor(at).to_string())
        };
        let (began, at) = (cursor(self.began), cursor(self.at));
        let Self {
            connection, gaps, ..
        } = self;
        let target = &publication.target;
        format!(
            "for {target:?}; the client went from {began} to {at}, connected {connection} times, received {gaps} gaps"
        )
    }

    /// Moves the client to this position, up to which it has been served.
    fn go_to(&mut self, place: JournalPosition) {
        self.began.get_or_insert(place);
        self.served.reach(place);
        self.at = Some(place);
    }

    fn out_of_order(
        &mut self,
        time: Duration,
        number: Option<u64>,
        at: JournalPosition,
        what: &str,
    ) {
        let detail = match self.at {
            Some(now) => format!("{what}; the client was at {}", self.epochs.cursor(now)),
            None => what.to_owned(),
        };
        self.offend(OffenceKind::OutOfOrder, time, number, Some(at), detail);
    }

    fn offend(
        &mut self,
        kind: OffenceKind,
        at: Duration,
        number: Option<u64>,
        id: Option<JournalPosition>,
        detail: String,
    ) {
        self.judgment.count_one(kind);
        if self.judgment.offences.len() < self.offences_kept {
            let id = id.map(|id| self.epochs.cursor(id));
            self.judgment.offences.push(Offence {
                client: self.client,
                kind,
                number,
                id,
                at,
                detail,
            });
        }
    }
}
