//! Identifiers of live streams.

use std::hash::{BuildHasher, RandomState};

use rand::RngExt as _;
use thiserror::Error;

use crate::id::hex_id::hex_id;

/// An identifier of one live stream. The server generates it. It is unguessable and never reused.
///
/// The text form is 32 lower-case hexadecimal digits. 96 bits are random, from the thread's
/// cryptographic generator. The other 32 bits are the index of the stream in its manager's table,
/// masked with a secret of the manager. A lookup therefore needs no map, and an id reveals nothing
/// about the number of streams.
///
/// ```
/// use sse_core::{ClientId, Event, Handshake, Manager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new())?;
///
/// // The browser returns the text that it received in the `connection` event.
/// let text = session.client_id().to_string();
/// let client: ClientId = text.parse()?;
/// let receipt = manager.client(client).publish(Event::text("hello")).await?;
/// assert_eq!(receipt.matched, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u128);

/// The error for text that is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a client id (32 lower-case hexadecimal digits)")]
pub struct ClientIdError;

/// A generator of client ids that also recovers the table index hidden in an id.
#[derive(Debug, Default)]
pub(crate) struct ClientIds {
    secret: RandomState,
}

impl ClientIds {
    pub(crate) fn make(&self, place: u32) -> ClientId {
        let random = rand::rng().random::<u128>() << 32;
        ClientId(random | u128::from(place ^ self.mask(random)))
    }

    pub(crate) fn place(&self, id: ClientId) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the lowest 32 bits are wanted"
        )]
        let masked = id.0 as u32;
        masked ^ self.mask(id.0 & !u128::from(u32::MAX))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a mask of 32 bits is wanted"
    )]
    fn mask(&self, random: u128) -> u32 {
        self.secret.hash_one(random) as u32
    }
}

impl ClientId {
    pub(crate) const fn number(self) -> u128 {
        self.0
    }

    pub(crate) const fn of_number(number: u128) -> Self {
        Self(number)
    }
}

hex_id!(ClientId, ClientIdError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_id_hides_and_returns_its_index() {
        let ids = ClientIds::default();
        for place in [0, 1, 77, u32::MAX] {
            let id = ids.make(place);
            assert_eq!(ids.place(id), place);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_ne!(ids.make(5), ids.make(5));
    }

    #[test]
    fn only_32_hexadecimal_digits_are_a_client_id() {
        for bad in [
            "",
            "0",
            "+0000000000000000000000000000001",
            "0000000000000000000000000000000G",
            "ä",
        ] {
            assert_eq!(bad.parse::<ClientId>(), Err(ClientIdError), "{bad:?}");
        }
    }
}
