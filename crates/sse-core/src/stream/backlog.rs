//! The frames that wait for one stream.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::{
    event::frame::{Frame, FrameKind},
    stream::overflow::CollapseBy,
};

/// Frames for a transport. Most polls take one or a few.
pub(crate) type Frames = SmallVec<[Frame; 8]>;

/// A FIFO queue that owns no memory while it is empty, and no heap memory for a single frame. Its
/// size is two words, because every stream has a backlog.
#[derive(Debug, Default)]
pub(crate) enum Backlog {
    #[default]
    None,
    One(Frame),
    Many(Box<Many>),
}

#[derive(Debug)]
pub(crate) struct Many {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(many) => many.frames.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(frame) => frame.len(),
            Self::Many(many) => many.bytes,
        }
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        match self {
            Self::None => *self = Self::One(frame),
            Self::Many(many) => {
                many.bytes += frame.len();
                many.frames.push_back(frame);
            }
            Self::One(_) => {
                let Self::One(first) = std::mem::take(self) else {
                    return;
                };
                let bytes = first.len() + frame.len();
                *self = Self::Many(Box::new(Many {
                    frames: VecDeque::from([first, frame]),
                    bytes,
                }));
            }
        }
    }

    /// Iterates over the frames, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Frame> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(frame) => (Some(frame), None),
            Self::Many(many) => (None, Some(&many.frames)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Moves frames into `out`, oldest first: at least one frame if the backlog has any, then as
    /// many as fit into both limits.
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

    /// Removes the frame if the backlog holds no other frame.
    #[inline]
    pub(crate) fn pop_only(&mut self) -> Option<Frame> {
        let Self::One(_) = self else { return None };
        self.pop_one()
    }

    pub(crate) fn pop(&mut self) -> Option<Frame> {
        match self {
            Self::None => None,
            Self::One(_) => self.pop_one(),
            Self::Many(many) => {
                let frame = many.frames.pop_front()?;
                self.removed(&frame);
                Some(frame)
            }
        }
    }

    /// Removes the oldest frame that `newer` replaces, which is a frame with the same key.
    pub(crate) fn remove_replaced_by(&mut self, newer: &Frame, by: CollapseBy) -> Option<Frame> {
        let key = |frame: &Frame| match by {
            CollapseBy::EventType => frame.collapse().event_type,
            CollapseBy::Key => frame.collapse().key,
        };
        let wanted = key(newer)?;
        match self {
            Self::Many(many) => {
                let at = many
                    .frames
                    .iter()
                    .position(|frame| key(frame) == Some(wanted))?;
                let frame = many.frames.remove(at)?;
                self.removed(&frame);
                Some(frame)
            }
            Self::One(frame) if key(frame) == Some(wanted) => self.pop_one(),
            _ => None,
        }
    }

    /// Returns `true` if the oldest frame is the manager's own.
    pub(crate) fn begins_with_own(&self) -> bool {
        self.front()
            .is_some_and(|frame| frame.kind() == FrameKind::Own)
    }

    fn front(&self) -> Option<&Frame> {
        match self {
            Self::None => None,
            Self::One(frame) => Some(frame),
            Self::Many(many) => many.frames.front(),
        }
    }

    fn pop_one(&mut self) -> Option<Frame> {
        if let Self::One(frame) = std::mem::take(self) {
            Some(frame)
        } else {
            None
        }
    }

    /// Accounts for a removed frame. Releases the memory with the last frame.
    fn removed(&mut self, frame: &Frame) {
        let Self::Many(many) = self else { return };
        many.bytes -= frame.len();
        if many.frames.is_empty() {
            *self = Self::None;
        }
    }
}

/// Limits of one take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// Returns the number of published events that a frame stands for.
pub(crate) fn events_in(frame: &Frame) -> u32 {
    match frame.kind() {
        FrameKind::Event => 1,
        FrameKind::Own => 0,
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
    fn frames_leave_in_order_and_free_memory_at_the_end() {
        let mut backlog = Backlog::default();
        ["a", "b", "c"]
            .iter()
            .for_each(|text| backlog.push(frame(text)));
        assert_eq!((backlog.len(), backlog.bytes()), (3, 27));
        let mut out = Frames::new();
        backlog.take(
            Limit {
                frames: 8,
                bytes: 20,
            },
            &mut out,
        );
        assert_eq!(
            out.iter().map(Frame::as_event).collect::<Vec<_>>(),
            [b"data: a\n\n", b"data: b\n\n"]
        );
        assert_eq!(backlog.pop().unwrap().as_event(), b"data: c\n\n");
        assert!(backlog.is_empty() && backlog.bytes() == 0);
        assert!(matches!(backlog, Backlog::None));
    }

    #[test]
    fn frame_larger_than_the_limit_still_leaves() {
        let mut backlog = Backlog::default();
        backlog.push(frame("larger"));
        let mut out = Frames::new();
        backlog.take(
            Limit {
                frames: 8,
                bytes: 1,
            },
            &mut out,
        );
        assert_eq!(out.len(), 1);
    }
}
