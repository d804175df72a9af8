//! Unlogged events that wait for logged ones.

use std::collections::VecDeque;

use crate::event::{cursor::LogPosition, frame::Frame};

/// Unlogged events, each with the place of the record that it follows.
#[derive(Debug, Default)]
pub(super) struct Unlogged {
    events: VecDeque<(LogPosition, Frame)>,
    bytes: usize,
}

impl Unlogged {
    /// Returns the number and the bytes of the events.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.events.len(), self.bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn push(&mut self, after: LogPosition, frame: Frame) {
        self.bytes += frame.len();
        self.events.push_back((after, frame));
    }

    /// Removes the oldest event if it precedes the record at `place`.
    pub(super) fn pop_before(&mut self, place: LogPosition) -> Option<Frame> {
        self.events.front().filter(|(after, _)| *after < place)?;
        self.pop()
    }

    pub(super) fn pop(&mut self) -> Option<Frame> {
        let (_, frame) = self.events.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}
