//! One publish: an event and its frame in every dialect that a recipient speaks.

use std::{ops::Range, sync::OnceLock};

use crate::{
    cursor::Position,
    dialect::{DialectIndex, Dialects, MAX_DIALECTS},
    event::Event,
    frame::{Collapse, Frame, Kind},
};

/// How an event stands to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is a record of the log.
    Logged(Position),
    /// It is none, and comes behind so many. Zero without a log.
    Beside(u64),
}

impl Mark {
    fn position(self) -> Option<Position> {
        match self {
            Self::Logged(position) => Some(position),
            Self::Beside(_) => None,
        }
    }
}

/// An event on its way to its recipients.
///
/// The plain frame is made at once, in the event's own buffer; those of other dialects when the first
/// recipient needs them.
#[derive(Debug)]
pub(crate) struct Message {
    head: Event,
    plain: Frame,
    lines: Range<usize>,
    pub(crate) mark: Mark,
    others: OnceLock<Box<[OnceLock<Frame>; MAX_DIALECTS]>>,
}

impl Message {
    /// With its id, if it is logged.
    pub(crate) fn new(mut event: Event, collapse: Option<Collapse>, mark: Mark) -> Self {
        let (mut plain, lines) = event.take_frame();
        if let Some(position) = mark.position() {
            plain = plain.logged_at(position);
        }
        if let Some(collapse) = collapse {
            plain = plain.collapsing(collapse);
        }
        Self { head: event, plain, lines, mark, others: OnceLock::new() }
    }

    pub(crate) fn plain(&self) -> &Frame {
        &self.plain
    }

    pub(crate) fn frame(&self, dialects: &Dialects, index: DialectIndex) -> &Frame {
        if index == DialectIndex::PLAIN {
            return &self.plain;
        }
        let others = self.others.get_or_init(|| Box::new(std::array::from_fn(|_| OnceLock::new())));
        others[index.get()].get_or_init(|| self.encode(dialects, index))
    }

    fn encode(&self, dialects: &Dialects, index: DialectIndex) -> Frame {
        let event = self.head.clone().with_lines(self.plain.chunk().slice(self.lines.clone()));
        let frame = dialects.encode(index, |dialect, out| dialect.event(&event, out)).of_kind(Kind::Event);
        let frame = match self.mark.position() {
            Some(position) => frame.logged_at(position),
            None => frame,
        };
        match self.plain.collapse() {
            Collapse { event_type: None, key: None } => frame,
            collapse => frame.collapsing(collapse),
        }
    }
}
