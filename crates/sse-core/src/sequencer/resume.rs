//! Start of a stream in the log.

use std::sync::Arc;

use crate::{
    dialect::Dialects,
    event::{
        cursor::{Cursor, CursorError},
        event_id::EventId,
        system,
    },
    id::{names::Topic, target::Target},
    log::gap::{Gap, GapReason},
    registry::groups::GroupKind,
    sequencer::{Sequencer, fanout::Tx},
    stream::{catch_up::CatchUp, shared::StreamState},
};

/// Start of a stream.
#[derive(Debug, Default)]
pub(crate) struct ResumePoint {
    /// Position up to which the stream has received everything.
    pub(crate) id: Option<EventId>,
    /// `true` if every event that the client missed follows.
    pub(crate) resumed: bool,
    /// `true` if the stream catches up before it becomes live.
    pub(crate) catching: bool,
}

impl Sequencer {
    /// Finds the position in the log at which a new stream starts, from the last event id of its
    /// client. Without a log, the id has no meaning.
    pub(crate) fn start(
        &mut self,
        stream: &StreamState,
        last_event_id: Option<&str>,
        dialects: &Dialects,
        tx: &mut Tx<'_>,
    ) -> ResumePoint {
        let Some(log) = &self.log else {
            return ResumePoint::default();
        };
        if log.is_unavailable() {
            let event = system::degraded();
            let frame = dialects.encode(stream.dialect, |dialect, out| dialect.event(&event, out));
            if !frame.is_empty() {
                tx.out.wake_later(stream.queue.lock().append(frame, tx.now));
            }
        }
        let Some(text) = last_event_id else {
            return ResumePoint {
                id: Some(log.window.head_cursor().to_id()),
                ..ResumePoint::default()
            };
        };
        // A client that disconnects before it receives the gap returns with its previous id, and
        // receives the gap then.
        let id = EventId::new(text).ok();
        let given: Result<Cursor, CursorError> = text.parse();
        let targets = self.targets_of(stream);
        let window = &log.window;
        let (catching, resumed) = match given {
            Err(CursorError) => (
                CatchUp::after_gap(
                    Gap::new(GapReason::Invalid, None, window.head_cursor()),
                    targets,
                    window,
                ),
                false,
            ),
            Ok(given) if given.epoch != *window.epoch() => {
                let gap = Gap::new(GapReason::Epoch, id.clone(), window.head_cursor());
                (CatchUp::after_gap(gap, targets, window), false)
            }
            Ok(given) if given.position == window.head() => {
                if let Some(log) = &mut self.log {
                    log.counts.resumed += 1;
                }
                return ResumePoint {
                    id,
                    resumed: true,
                    catching: false,
                };
            }
            // Without a backplane only this manager appends, so this position is foreign. On a
            // backplane another node can have assigned the position.
            Ok(given) if log.remote.is_none() && given.position > window.head() => {
                let gap = Gap::new(GapReason::Future, id.clone(), window.head_cursor());
                (CatchUp::after_gap(gap, targets, window), false)
            }
            // The position is ahead of this node: another node can have assigned it, or no node
            // has. Until the node knows, it cannot promise that every missed event follows.
            Ok(given) => {
                let is_there = (log.trimmed()..=window.head()).contains(&given.position)
                    && !log.holes.touch(given.position, window.head())
                    && window.before_foreign(given.position).is_none();
                (CatchUp::from(given, targets, window), is_there)
            }
        };
        stream.queue.lock().catch_up(catching);
        if let Some(log) = self.log.as_mut().filter(|_| resumed) {
            log.counts.resumed += 1;
        }
        ResumePoint {
            id,
            resumed,
            catching: true,
        }
    }

    /// Returns the logged targets that a stream is subscribed to.
    fn targets_of(&self, stream: &StreamState) -> Vec<Target> {
        let slot = self.registry.streams.get(stream.place);
        let groups = slot.iter().flat_map(|slot| &slot.memberships);
        let groups = groups.filter_map(|membership| self.registry.groups.get(membership.group));
        let topics = groups.filter(|group| group.kind == GroupKind::Topic);
        let topics = topics.map(|group| Target::Topic(Topic::from_text(Arc::clone(&group.name))));
        let user = stream.user.clone().map(Target::User);
        std::iter::once(Target::All)
            .chain(user)
            .chain(topics)
            .collect()
    }
}
