//! The recipient of missed events.

use crate::{
    dialect::{DialectIndex, Dialects, message::Message},
    event::frame::Frame,
    id::client_id::ClientId,
    log::gap::Gap,
};

/// The recipient of records, and its dialect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipient<'a> {
    pub(crate) id: ClientId,
    pub(crate) dialects: &'a Dialects,
    pub(crate) dialect: DialectIndex,
}

impl Recipient<'_> {
    pub(super) fn gap(&self, gap: &Gap) -> Frame {
        let event = gap.to_event();
        self.dialects
            .encode(self.dialect, |dialect, out| dialect.event(&event, out))
    }

    pub(super) fn frame<'a>(&self, except: &[ClientId], message: &'a Message) -> Option<&'a Frame> {
        if except.contains(&self.id) {
            return None;
        }
        Some(message.frame(self.dialects, self.dialect)).filter(|frame| !frame.is_empty())
    }
}
