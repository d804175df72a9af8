//! Functions that the fuzz targets of this workspace need in addition to the API.

use bytes::Bytes;

use crate::backplane::envelope::Envelope;

/// Reads an envelope. Returns the event as streams receive it, and the envelope encoded again.
#[must_use]
pub fn read_envelope(bytes: &Bytes) -> Option<(Bytes, Bytes)> {
    let Envelope {
        ticket,
        target,
        except,
        event,
        ..
    } = Envelope::read(bytes).ok()?;
    Some((
        event.clone().encode(),
        Envelope::write(ticket, &target, &except, &event),
    ))
}
