//! The frames that wait for one stream.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::{
    frame::{Frame, Kind},
    overflow::CollapseBy,
};

/// Frames on their way to a transport; most wakes bring one or few.
pub(crate) type Frames = SmallVec<[Frame; 8]>;

/// A FIFO that owns no memory while it is empty, and none beyond itself for one frame.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    frames: Held,
    bytes: usize,
}

#[derive(Debug, Default)]
enum Held {
    #[default]
    None,
    One(Frame),
    Many(VecDeque<Frame>),
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        match &self.frames {
            Held::None => 0,
            Held::One(_) => 1,
            Held::Many(frames) => frames.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.frames, Held::None)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        self.bytes += frame.len();
        match &mut self.frames {
            Held::Many(frames) => frames.push_back(frame),
            held => {
                *held = match std::mem::take(held) {
                    Held::One(first) => Held::Many(VecDeque::from([first, frame])),
                    _ => Held::One(frame),
                };
            }
        }
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Frame> {
        let (one, many) = match &self.frames {
            Held::None => (None, None),
            Held::One(frame) => (Some(frame), None),
            Held::Many(frames) => (None, Some(frames)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Moves frames out, oldest first: at least one if there is one, then as many as fit into both limits.
    pub(crate) fn take(&mut self, limit: Limit, out: &mut Frames) {
        let mut left = limit.bytes;
        while out.len() < limit.frames {
            match self.front() {
                Some(front) if out.is_empty() || front.len() <= left => {
                    left = left.saturating_sub(front.len());
                }
                _ => break,
            }
            out.extend(self.pop());
        }
    }

    /// Removes the frame if it is the only one.
    #[inline]
    pub(crate) fn pop_only(&mut self) -> Option<Frame> {
        let Held::One(_) = self.frames else { return None };
        let Held::One(frame) = std::mem::take(&mut self.frames) else { return None };
        self.bytes = 0;
        Some(frame)
    }

    pub(crate) fn pop(&mut self) -> Option<Frame> {
        let frame = match &mut self.frames {
            Held::None => None,
            Held::One(_) => match std::mem::take(&mut self.frames) {
                Held::One(frame) => Some(frame),
                _ => None,
            },
            Held::Many(frames) => frames.pop_front(),
        }?;
        self.removed(&frame);
        Some(frame)
    }

    /// Removes the oldest frame that a newer one under the same key replaces.
    pub(crate) fn remove_replaced_by(&mut self, newer: &Frame, by: CollapseBy) -> Option<Frame> {
        let key = |frame: &Frame| match by {
            CollapseBy::EventType => frame.collapse().event_type,
            CollapseBy::Key => frame.collapse().key,
        };
        let wanted = key(newer)?;
        match &mut self.frames {
            Held::Many(frames) => {
                let at = frames.iter().position(|frame| key(frame) == Some(wanted))?;
                let frame = frames.remove(at)?;
                self.removed(&frame);
                Some(frame)
            }
            Held::One(frame) if key(frame) == Some(wanted) => self.pop(),
            _ => None,
        }
    }

    /// Whether the oldest frame is the manager's own.
    pub(crate) fn begins_with_own(&self) -> bool {
        self.front().is_some_and(|frame| frame.kind() == Kind::Own)
    }

    fn front(&self) -> Option<&Frame> {
        match &self.frames {
            Held::None => None,
            Held::One(frame) => Some(frame),
            Held::Many(frames) => frames.front(),
        }
    }

    /// Gives the memory back with the last frame.
    fn removed(&mut self, frame: &Frame) {
        self.bytes -= frame.len();
        if matches!(&self.frames, Held::Many(frames) if frames.is_empty()) {
            self.frames = Held::None;
        }
    }
}

/// How much is taken at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// How many published events a frame stands for.
pub(crate) fn events_in(frame: &Frame) -> u32 {
    match frame.kind() {
        Kind::Event => 1,
        Kind::Own => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn frame(text: &str) -> Frame {
        Event::text(text).into_frame()
    }

    #[test]
    fn frames_leave_in_order_and_memory_with_the_last() {
        let mut backlog = Backlog::default();
        ["a", "b", "c"].iter().for_each(|text| backlog.push(frame(text)));
        assert_eq!((backlog.len(), backlog.bytes()), (3, 27));
        let mut out = Frames::new();
        backlog.take(Limit { frames: 8, bytes: 20 }, &mut out);
        assert_eq!(out.iter().map(Frame::as_event).collect::<Vec<_>>(), [b"data: a\n\n", b"data: b\n\n"]);
        assert_eq!(backlog.pop().unwrap().as_event(), b"data: c\n\n");
        assert!(backlog.is_empty() && backlog.bytes() == 0);
        assert!(matches!(backlog.frames, Held::None));
    }

    #[test]
    fn a_frame_larger_than_the_limit_still_leaves() {
        let mut backlog = Backlog::default();
        backlog.push(frame("larger"));
        let mut out = Frames::new();
        backlog.take(Limit { frames: 8, bytes: 1 }, &mut out);
        assert_eq!(out.len(), 1);
    }
}
