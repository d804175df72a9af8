//! How a stream looks on the wire.

pub(crate) mod connect_error;
pub(crate) mod event_stream;
pub(crate) mod farewell;
pub(crate) mod heartbeat;
pub(crate) mod hello;
pub(crate) mod message;
pub(crate) mod reason;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use crate::{
    dialect::{farewell::Farewell, hello::Hello},
    event::{
        Event,
        event_id::EventId,
        frame::{Frame, Kind},
        frame_writer::FrameWriter,
    },
};

/// How hello, event, heartbeat and end look on the wire.
///
/// A manager encodes an event at most once per dialect in use, so an implementation sees nothing of
/// the single stream. Two dialects of one manager are the same when their names are.
///
/// Called under the manager's lock, so an implementation must be quick and must not call the
/// manager. Everything is written as [`Event`]s, so no implementation can produce text that is not
/// an event stream.
pub trait Dialect: Send + Sync + 'static {
    /// A name of the implementation, the same for every value of it.
    fn name(&self) -> &'static str;

    /// The first block of a stream.
    fn hello(&self, hello: &Hello, out: &mut FrameWriter);

    /// A published event, or a system event of the manager's own.
    fn event(&self, event: &Event, out: &mut FrameWriter);

    /// What a quiet stream gets; `beat` is what the manager's [`Heartbeat`](crate::Heartbeat) made.
    fn heartbeat(&self, beat: &Event, out: &mut FrameWriter);

    /// The last block of a stream that the server ends.
    fn end(&self, farewell: &Farewell, out: &mut FrameWriter);

    /// Whether a client's last event id is to be [restored](Dialect::restore) after an event with
    /// an empty one. Asked once a stream.
    fn restores_ids(&self) -> bool {
        false
    }

    /// Gives a client its last event id again, right behind an event that had an empty one; without
    /// a word it would stay empty.
    ///
    /// For dialects that say by an empty id that an event has none: a client would take one without
    /// an `id` field for one with the id before.
    fn restore(&self, id: &EventId, out: &mut FrameWriter) {
        let _ = (id, out);
    }
}

/// The dialect of the seed: `connection`, `heartbeat`, `notification`, `system`, and the app's own
/// event types.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Dialect for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn hello(&self, hello: &Hello, out: &mut FrameWriter) {
        out.event(&hello.to_event());
    }

    fn event(&self, event: &Event, out: &mut FrameWriter) {
        out.event(event);
    }

    fn heartbeat(&self, beat: &Event, out: &mut FrameWriter) {
        out.event(beat);
    }

    fn end(&self, farewell: &Farewell, out: &mut FrameWriter) {
        out.event(&farewell.to_event());
    }
}

/// How many dialects one manager speaks at most.
pub const MAX_DIALECTS: usize = 8;

/// Place of a dialect in [`Dialects`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DialectIndex(u8);

impl DialectIndex {
    pub(crate) const PLAIN: Self = Self(0);

    pub(crate) fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// The dialects that a manager has met; [`Plain`] is the first.
pub(crate) struct Dialects([OnceLock<Arc<dyn Dialect>>; MAX_DIALECTS]);

impl Default for Dialects {
    fn default() -> Self {
        let dialects: [OnceLock<Arc<dyn Dialect>>; MAX_DIALECTS] =
            std::array::from_fn(|_| OnceLock::new());
        dialects[0].get_or_init(|| Arc::new(Plain));
        Self(dialects)
    }
}

impl Dialects {
    /// The place of a dialect, found or given; `None` when all places are taken by others.
    pub(crate) fn index(&self, dialect: &Arc<dyn Dialect>) -> Option<DialectIndex> {
        let is_it = |place: &OnceLock<Arc<dyn Dialect>>| {
            place.get_or_init(|| Arc::clone(dialect)).name() == dialect.name()
        };
        let place = self.0.iter().position(is_it)?;
        u8::try_from(place).ok().map(DialectIndex)
    }

    pub(crate) fn get(&self, index: DialectIndex) -> &dyn Dialect {
        self.0[index.get()]
            .get()
            .map_or(&Plain, |dialect| &**dialect)
    }

    /// The dialect at a place, if it is taken.
    pub(crate) fn entry(&self, place: usize) -> Option<(DialectIndex, &dyn Dialect)> {
        let dialect = self.0.get(place)?.get()?;
        Some((DialectIndex(u8::try_from(place).ok()?), &**dialect))
    }

    pub(crate) fn met(&self) -> impl Iterator<Item = &dyn Dialect> {
        self.0
            .iter()
            .map_while(|place| place.get().map(|dialect| &**dialect))
    }

    /// A frame of the manager's own.
    pub(crate) fn encode(
        &self,
        index: DialectIndex,
        write: impl FnOnce(&dyn Dialect, &mut FrameWriter),
    ) -> Frame {
        let mut out = FrameWriter::new();
        write(self.get(index), &mut out);
        out.finish().of_kind(Kind::Own)
    }
}

impl fmt::Debug for Dialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.met().map(Dialect::name))
            .finish()
    }
}
