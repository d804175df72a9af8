//! The judgment of clients' journals: everything that must hold under any fault.

mod epochs;
mod gap_coverage;
mod judge;
pub(crate) mod judgment;
pub(crate) mod publications;
pub(crate) mod recovery;
pub(crate) mod subscriber;

use crate::{
    journal::Journal,
    oracle::{
        epochs::EpochOrder,
        judge::{Evidence, Judge},
        judgment::Judgment,
        publications::{OracleError, Publication, Publications},
        recovery::{FaultPeriod, Recoveries},
        subscriber::Subscriber,
    },
};

/// Judges what clients received by what was acknowledged.
///
/// The oracle holds servers to the promise of an event log: *every acknowledged event reaches every
/// stream that should have it, once and in order, or that stream receives a gap that covers it.*
/// For each client and each event:
///
/// - An event is **due** if it was acknowledged, its target is all, the client's user or one of the
///   client's topics, and its position follows the client's beginning. The beginning is the first
///   position that the client received, in its first `connection`. Logs follow each other in the
///   order in which their epochs were first seen, in receipts or journals. Events of logs before
///   the client's first log are not due; all events of later logs are.
/// - Deliveries are counted by the number in the data, whatever the id. An event must arrive
///   **once**. A second delivery with the same id after the client reconnected is a double on the
///   wire, which the promise allows and clients drop by the id. Within one connection, or with
///   another id of the same log, a second delivery is an offence. An event that was sent more than
///   once may be in two logs, since the idempotency keys are lost with the first log.
/// - An event that did not arrive may be **covered** by a gap. A gap within a log covers the
///   positions after its `from`, up to its `to`. A gap from one log to another covers all positions
///   after its `from`, all logs between the two, and the new log up to its `to`, except for
///   positions that the client had already been served beyond. A gap without a `from` begins at the
///   client's position. A gap without a `to` covers nothing: logged events arrive all the same.
///   (The policy `keep_latest` drops logged events with such gaps; streams with this policy cannot
///   be judged.)
/// - Otherwise the event is **lost** if the client was served beyond it, and **undelivered** if
///   not, unless the client has no claim: the client [left early](Subscriber::left_early), ended in
///   a pause, or was stopped before the acknowledgement.
/// - A delivered event must have been published, be targeted at the client, and have the id of its
///   receipt.
/// - Positions (of events, heartbeats, and anything else with an id) must not **go back** within a
///   connection, and another log must not begin without a gap. Each event must be beyond the
///   position of its connection. An event that arrives for the first time must also be beyond
///   everything that the client was served before, on any connection.
/// - An unacknowledged event may or may not arrive, but at most once.
///
/// Not judged: unlogged events, topics that a client joined or left while it was connected, and
/// exceptions of publishes.
#[derive(Debug)]
pub struct Oracle {
    publications: Publications,
    faults: Vec<FaultPeriod>,
    offences_kept: usize,
}

impl Oracle {
    /// Default number of offences that are kept.
    pub const OFFENCES_KEPT: usize = 20;

    /// Creates an oracle from all attempted publications.
    ///
    /// # Errors
    ///
    /// [`OracleError::SameNumber`] if two publications have the same number.
    pub fn new(publications: impl IntoIterator<Item = Publication>) -> Result<Self, OracleError> {
        let publications = Publications::new(publications)?;
        Ok(Self {
            publications,
            faults: Vec::new(),
            offences_kept: Self::OFFENCES_KEPT,
        })
    }

    /// Sets the injected faults, for [`Judgment::recoveries`].
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = FaultPeriod>) -> Self {
        self.faults = faults.into_iter().collect();
        self
    }

    /// Sets the number of offences to keep with their details, 20 by default. All offences are
    /// counted.
    #[must_use]
    pub fn offences_kept(mut self, count: usize) -> Self {
        self.offences_kept = count;
        self
    }

    /// Judges clients, each by its claims and its journal.
    #[must_use]
    pub fn judge<'a>(
        &self,
        clients: impl IntoIterator<Item = (&'a Subscriber, &'a Journal)>,
    ) -> Judgment {
        let clients: Vec<_> = clients.into_iter().collect();
        let acknowledged = || {
            self.publications
                .all
                .iter()
                .filter_map(|it| it.acknowledged.as_ref())
        };
        let epochs =
            EpochOrder::seen_in(acknowledged(), clients.iter().map(|(_, journal)| *journal));
        let mut judgment = Judgment {
            clients: clients.len() as u64,
            published: self.publications.all.len() as u64,
            acknowledged: acknowledged().count() as u64,
            ..Judgment::default()
        };
        let mut recoveries = Recoveries::after(&self.faults);
        let mut evidence = Evidence::new(&self.publications, &epochs, self.offences_kept);
        for (client, (subscriber, journal)) in clients.into_iter().enumerate() {
            Judge::of(client, subscriber, journal, &mut evidence, &mut judgment)
                .hold(&mut recoveries);
        }
        judgment.recoveries = recoveries.summed_up();
        judgment
    }
}
