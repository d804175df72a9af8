//! What must hold, whatever happened.

mod epochs;
mod gap_coverage;
mod judge;
pub(crate) mod publications;
pub(crate) mod recovery;
pub(crate) mod subscriber;
pub(crate) mod verdict;

use crate::{
    journal::Journal,
    oracle::{
        epochs::Epochs,
        judge::{Evidence, Judge},
        publications::{OracleError, Publication, Publications},
        recovery::{Fault, Recoveries},
        subscriber::Subscriber,
        verdict::Verdict,
    },
};

/// Judges what clients were told by what was acknowledged.
///
/// The promise that it holds servers to is that of an event log: *every acknowledged event reaches
/// every stream that should have it, once and in order, or that stream is told of a gap that covers
/// it.* For each client and each event:
///
/// - An event is **due** if it was acknowledged, its target is all, the client's user or one of the
///   client's topics, and it stands behind the client's beginning: the first position that it was
///   told, by its first `connection`. Logs follow each other in the order in which their epochs
///   were first seen, in receipts or journals; events of earlier logs than the client's first one
///   are not due, all of later ones are.
/// - What came is counted by the number in the data, so whatever the id. It has to come **once**.
///   Again with the same id after the client connected anew, it is a double on the wire, which the
///   promise allows and clients drop by the id; within one connection, or with another id of the
///   same log, it is an offence. What was sent more than once may stand in two logs, since the keys
///   are lost with the first.
/// - What did not come may be **covered** by a gap: one within a log covers what is behind its
///   `from`, up to its `to`; one from a log to another covers all that is behind its `from`, all of
///   the logs between the two, and the new log up to its `to`, except what the client had already
///   been served beyond. A gap without a `from` begins where the client was. One without a `to`
///   covers nothing: what was logged comes all the same. (The policy `keep_latest` drops logged
///   events with such gaps; streams that have it cannot be judged.)
/// - Else it is **lost** if the client was served beyond it, and **undelivered** if not, unless the
///   client has no claim: it [left early](Subscriber::left_early), ended in a pause, or was stopped
///   before the acknowledgement.
/// - What came must have been published, and be meant for the client, under the id of its receipt.
/// - Positions (of events, heartbeats, and whatever else has an id) must **rise** within a
///   connection, and another log must not begin without a gap. What comes for the first time must
///   be beyond all that the client was served before, on any connection.
/// - What was not acknowledged may come or not, but at most once.
///
/// Not judged: events that are in no log, topics that a client joined or lost while it was there,
/// and exceptions of publishes.
#[derive(Debug)]
pub struct Oracle {
    publications: Publications,
    faults: Vec<Fault>,
    offences_kept: usize,
}

impl Oracle {
    /// How many offences are kept unless said otherwise.
    pub const OFFENCES_KEPT: usize = 20;

    /// Takes everything that was tried to be published.
    ///
    /// # Errors
    ///
    /// [`OracleError::SameNumber`].
    pub fn new(publications: impl IntoIterator<Item = Publication>) -> Result<Self, OracleError> {
        let publications = Publications::new(publications)?;
        Ok(Self {
            publications,
            faults: Vec::new(),
            offences_kept: Self::OFFENCES_KEPT,
        })
    }

    /// What was done, for [`Verdict::recoveries`].
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults = faults.into_iter().collect();
        self
    }

    /// How many offences to keep with their details, 20 unless said otherwise; all are counted.
    #[must_use]
    pub fn offences_kept(mut self, count: usize) -> Self {
        self.offences_kept = count;
        self
    }

    /// Judges clients.
    #[must_use]
    pub fn judge<'a>(
        &self,
        clients: impl IntoIterator<Item = (&'a Subscriber, &'a Journal)>,
    ) -> Verdict {
        let clients: Vec<_> = clients.into_iter().collect();
        let acknowledged = || {
            self.publications
                .all
                .iter()
                .filter_map(|it| it.acknowledged.as_ref())
        };
        let epochs = Epochs::seen_in(acknowledged(), clients.iter().map(|(_, journal)| *journal));
        let mut verdict = Verdict {
            clients: clients.len() as u64,
            published: self.publications.all.len() as u64,
            acknowledged: acknowledged().count() as u64,
            ..Verdict::default()
        };
        let mut recoveries = Recoveries::after(&self.faults);
        let mut evidence = Evidence::new(&self.publications, &epochs, self.offences_kept);
        for (client, (subscriber, journal)) in clients.into_iter().enumerate() {
            Judge::of(client, subscriber, journal, &mut evidence, &mut verdict)
                .hold(&mut recoveries);
        }
        verdict.recoveries = recoveries.summed_up();
        verdict
    }
}
