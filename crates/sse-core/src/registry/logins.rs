//! Sign-ins of streams.

use crate::id::login_id::LoginId;

const CHUNK: usize = 256;

/// The sign-in of each stream that has one, by the index of the stream.
///
/// Kept apart from the streams, so that streams without a sign-in cost nothing. Allocated in
/// chunks, like the table of streams, so that a new stream does not move existing entries.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    chunks: Vec<Option<Box<LoginChunk>>>,
}

#[derive(Debug)]
struct LoginChunk {
    logins: [Option<LoginId>; CHUNK],
    held: usize,
}

impl Logins {
    pub(crate) fn get(&self, place: u32) -> Option<LoginId> {
        let (chunk, at) = split(place);
        self.chunks.get(chunk)?.as_ref()?.logins[at]
    }

    pub(crate) fn set(&mut self, place: u32, login: LoginId) {
        let (chunk, at) = split(place);
        if self.chunks.len() <= chunk {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let empty = || {
            Box::new(LoginChunk {
                logins: [None; CHUNK],
                held: 0,
            })
        };
        let chunk = self.chunks[chunk].get_or_insert_with(empty);
        chunk.held += usize::from(chunk.logins[at].replace(login).is_none());
    }

    pub(crate) fn remove(&mut self, place: u32) {
        let (chunk, at) = split(place);
        let Some(place) = self.chunks.get_mut(chunk) else {
            return;
        };
        let Some(chunk) = place else { return };
        chunk.held -= usize::from(chunk.logins[at].take().is_some());
        if chunk.held == 0 {
            *place = None;
        }
    }
}

fn split(place: u32) -> (usize, usize) {
    let place = place as usize;
    (place / CHUNK, place % CHUNK)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn logins_match_a_map_and_release_memory(steps in prop::collection::vec((0..900_u32, any::<Option<u8>>()), 0..200)) {
            let (mut logins, mut map) = (Logins::default(), HashMap::new());
            for (place, byte) in steps {
                match byte.map(|byte| LoginId::from_bytes([byte; 16])) {
                    Some(login) => {
                        logins.set(place, login);
                        map.insert(place, login);
                    }
                    None => {
                        logins.remove(place);
                        map.remove(&place);
                    }
                }
                prop_assert_eq!(logins.get(place), map.get(&place).copied());
            }
            for place in 0..1000 {
                prop_assert_eq!(logins.get(place), map.get(&place).copied());
            }
            map.keys().for_each(|place| logins.remove(*place));
            prop_assert!(logins.chunks.iter().all(Option::is_none));
        }
    }
}
