//! Wire formats of streams.

pub(crate) mod connect_error;
pub(crate) mod event_stream;
pub(crate) mod farewell;
pub(crate) mod heartbeat;
pub(crate) mod hello;
pub(crate) mod message;
pub(crate) mod reason;

pub use self::{
    connect_error::{HttpResponse, STREAM_HEADERS},
    farewell::Farewell,
    heartbeat::{CommentHeartbeat, EventHeartbeat, Heartbeat},
    hello::Hello,
};
pub use crate::event::{frame::Frame, frame_writer::FrameWriter};

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use crate::event::{Event, event_id::EventId, frame::FrameKind};

/// The wire format of hello, event, heartbeat and end blocks.
///
/// A manager encodes an event at most once per dialect in use, so an implementation receives
/// nothing that is specific to one stream. Two dialects of one manager are the same if their names
/// are equal.
///
/// The manager calls an implementation under its lock, so an implementation must be quick and must
/// not call the manager. All output is written as [`Event`]s, so no implementation can produce text
/// that is not an event stream.
///
/// ```
/// use std::sync::Arc;
///
/// use futures_util::StreamExt;
/// use sse_core::{Event, Handshake, Manager, dialect::{Dialect, Farewell, FrameWriter, Hello}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// /// Sends no first block and no last block.
/// struct Bare;
///
/// impl Dialect for Bare {
///     fn name(&self) -> &'static str {
///         "bare"
///     }
///
///     fn hello(&self, _: &Hello, _: &mut FrameWriter) {}
///
///     fn event(&self, event: &Event, out: &mut FrameWriter) {
///         out.event(event);
///     }
///
///     fn heartbeat(&self, beat: &Event, out: &mut FrameWriter) {
///         out.event(beat);
///     }
///
///     fn end(&self, _: &Farewell, _: &mut FrameWriter) {}
/// }
///
/// let manager = Manager::builder().build()?;
/// let mut session = manager.connect(Handshake::new().dialect(Arc::new(Bare)))?;
/// manager.all().publish(Event::text("hello")).await?;
/// assert_eq!(session.next().await.unwrap(), "data: hello\n\n");
/// # Ok(()) }
/// ```
pub trait Dialect: Send + Sync + 'static {
    /// Returns the name of the implementation, which is the same for all of its values.
    fn name(&self) -> &'static str;

    /// Writes the first block of a stream.
    fn hello(&self, hello: &Hello, out: &mut FrameWriter);

    /// Writes a published event, or a system event of the manager.
    fn event(&self, event: &Event, out: &mut FrameWriter);

    /// Writes a heartbeat for a quiet stream. The manager's [`Heartbeat`] created `beat`.
    fn heartbeat(&self, beat: &Event, out: &mut FrameWriter);

    /// Writes the last block of a stream that the server ends.
    fn end(&self, farewell: &Farewell, out: &mut FrameWriter);

    /// Returns `true` if a client's last event id must be [restored](Dialect::restore) after an
    /// event with an empty id. Called once per stream.
    fn restores_ids(&self) -> bool {
        false
    }

    /// Restores a client's last event id, directly after an event that had an empty id. By default,
    /// nothing is written, and the client's last event id stays empty.
    ///
    /// For dialects that mark an event without an id by an empty `id` field. Clients of such
    /// dialects would assign the previous id to an event without an `id` field.
    fn restore(&self, id: &EventId, out: &mut FrameWriter) {
        let _ = (id, out);
    }
}

/// The default dialect: `connection`, `heartbeat`, `notification`, `system`, and the app's own
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

/// Maximum number of dialects of one manager, [`Plain`] included. A stream with a further dialect
/// is rejected with
/// [`ConnectErrorKind::TooManyDialects`](crate::ConnectErrorKind::TooManyDialects).
pub const MAX_DIALECTS: usize = 8;

/// The index of a dialect in [`Dialects`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DialectIndex(u8);

impl DialectIndex {
    pub(crate) const PLAIN: Self = Self(0);

    pub(crate) fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// The dialects that a manager has used. [`Plain`] is the first.
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
    /// Returns the index of a dialect, assigning one if the dialect is new. Returns `None` if other
    /// dialects occupy all indices.
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

    /// Returns the dialect at an index, if the index is in use.
    pub(crate) fn entry(&self, place: usize) -> Option<(DialectIndex, &dyn Dialect)> {
        let dialect = self.0.get(place)?.get()?;
        Some((DialectIndex(u8::try_from(place).ok()?), &**dialect))
    }

    pub(crate) fn met(&self) -> impl Iterator<Item = &dyn Dialect> {
        self.0
            .iter()
            .map_while(|place| place.get().map(|dialect| &**dialect))
    }

    /// Encodes a frame of the manager's own.
    pub(crate) fn encode(
        &self,
        index: DialectIndex,
        write: impl FnOnce(&dyn Dialect, &mut FrameWriter),
    ) -> Frame {
        let mut out = FrameWriter::new();
        write(self.get(index), &mut out);
        out.finish().of_kind(FrameKind::Own)
    }
}

impl fmt::Debug for Dialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.met().map(Dialect::name))
            .finish()
    }
}
