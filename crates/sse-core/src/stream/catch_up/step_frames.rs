//! The frames of one step of a catch-up.

use crate::{
    event::frame::Frame,
    stream::backlog::{Frames, Limit},
};

/// The frames of one step, and the limit of their number and size.
pub(super) struct StepFrames<'a> {
    frames: &'a mut Frames,
    bytes: usize,
    limit: Limit,
}

impl<'a> StepFrames<'a> {
    pub(super) fn new(frames: &'a mut Frames, limit: Limit) -> Self {
        let bytes = frames.iter().map(Frame::len).sum();
        Self {
            frames,
            bytes,
            limit,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.frames.is_empty()
            || (self.frames.len() < self.limit.frames && self.bytes < self.limit.bytes)
    }

    pub(super) fn push(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.frames.push(frame);
    }
}
