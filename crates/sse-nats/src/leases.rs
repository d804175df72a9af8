//! Leases of nodes.
//!
//! A stream has one message for each node, which contains the term of the lease. The server also
//! supplies the current time: a node that lists leases puts a message after the leases, so that no
//! node's clock matters. The node then removes expired leases.

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, HeaderName, HeaderValue, Subject};
use bytes::Bytes;
use sse_core::backplane::{BackplaneError, Lease};

use crate::{
    consumer::Delivered,
    error::unavailable,
    jetstream::{Ack, ApiError, RESPONSE_TIMEOUT, read_ack},
    request_reply::RequestError,
    shared::Shared,
};

/// The header for the term of a lease, in milliseconds.
const TERM_HEADER: HeaderName = HeaderName::from_static("Sse-Term");

const MAX_TERM: u128 = u64::MAX as u128;

const MAX_NODE_BYTES: usize = 64;

const MAX_LEASE_BYTES: usize = 64 << 10;

impl Shared {
    pub(crate) async fn hold_lease(
        &self,
        lease: Lease,
        term: Duration,
    ) -> Result<(), BackplaneError> {
        let subject = self.lease_subject(&lease.node)?;
        if lease.payload.len() > MAX_LEASE_BYTES {
            return Err(BackplaneError::TooLarge {
                size: lease.payload.len(),
                limit: MAX_LEASE_BYTES,
            });
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            TERM_HEADER,
            HeaderValue::from(term.as_millis().min(MAX_TERM).to_string()),
        );
        self.state(&subject, headers, lease.payload).await.map(drop)
    }

    pub(crate) async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
        let subject = self.lease_subject(node)?;
        match self
            .jetstream
            .purge(&self.names.state_stream, &subject)
            .await
        {
            Ok(()) | Err(ApiError::Missing) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn leases(&self) -> Result<Vec<Lease>, BackplaneError> {
        let now = self
            .state(&self.names.now, HeaderMap::new(), Bytes::new())
            .await?;
        let mut consumer = self.consumer(&self.names.state_stream, 1).await?;
        let states = self.drain(&mut consumer).await;
        consumer.remove().await;
        let mut states = states?;
        // The message of another node that lists leases can replace this one. It supplies the
        // current time as well.
        let now = states
            .iter()
            .rfind(|state| state.subject == *self.names.now && state.sequence >= now.seq);
        let now = now
            .map(|now| now.nanoseconds)
            .ok_or_else(|| unavailable("the leases are changing"))?;
        states.retain(|state| state.subject.starts_with(&self.names.leases));
        let (held, over): (Vec<_>, Vec<_>) =
            states.into_iter().partition(|state| is_held(state, now));
        for state in over {
            // Another node may have removed the lease already. A node that renewed its lease has a
            // newer message.
            self.jetstream
                .delete(&self.names.state_stream, state.sequence)
                .await
                .ok();
        }
        Ok(held.into_iter().map(|state| self.lease(state)).collect())
    }

    fn lease(&self, state: Delivered) -> Lease {
        Lease {
            node: Arc::from(&state.subject[self.names.leases.len()..]),
            payload: state.payload,
        }
    }

    fn lease_subject(&self, node: &str) -> Result<Subject, BackplaneError> {
        let fits = (1..=MAX_NODE_BYTES).contains(&node.len());
        if !fits || !node.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(BackplaneError::rejected(
                "node name must be 1 to 64 ASCII letters and digits",
            ));
        }
        Ok(format!("{}{node}", self.names.leases).into())
    }

    /// Stores the message of a subject.
    async fn state(
        &self,
        subject: &Subject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Ack, BackplaneError> {
        for _ in 0..2 {
            let answer = self
                .requests
                .request(subject, headers.clone(), payload.clone(), RESPONSE_TIMEOUT)
                .await;
            match answer {
                Ok(message) => match read_ack(&message.payload) {
                    Err(ApiError::Broken(error)) => self.epochs.make_state_again(error).await?,
                    ack => return Ok(ack?),
                },
                Err(RequestError::NoResponders) => self.epochs.make_state().await?,
                Err(RequestError::Failed(error)) => return Err(error),
            }
        }
        Err(unavailable("the stream of leases disappears repeatedly"))
    }
}

/// Returns `true` if the term of a lease has not ended. A lease from the future was stored before
/// the server's clock was set back; it counts for one term at most.
fn is_held(state: &Delivered, now: i64) -> bool {
    let header = state
        .headers
        .as_ref()
        .and_then(|headers| headers.get(TERM_HEADER));
    let Some(term) = header.and_then(|term| term.as_str().parse().ok()) else {
        return false;
    };
    Duration::from_nanos(now.abs_diff(state.nanoseconds)) < Duration::from_millis(term)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(term: Option<&str>, nanoseconds: i64) -> Delivered {
        let headers =
            term.map(|term| HeaderMap::from_iter([(TERM_HEADER, HeaderValue::from(term))]));
        let (subject, payload) = (String::new(), Bytes::new());
        Delivered {
            sequence: 1,
            nanoseconds,
            pending: 0,
            subject,
            headers,
            payload,
        }
    }

    #[test]
    fn lease_lasts_its_term_if_clock_is_set_back() {
        const SECOND: i64 = 1_000_000_000;
        let now = 1_700_000_000 * SECOND;
        assert!(is_held(&state(Some("2000"), now - SECOND), now));
        assert!(!is_held(&state(Some("2000"), now - 2 * SECOND), now));
        assert!(is_held(&state(Some("2000"), now + SECOND), now));
        assert!(!is_held(&state(Some("2000"), now + 3600 * SECOND), now));
        assert!(!is_held(&state(None, now), now));
        assert!(!is_held(&state(Some("x"), now), now));
        assert!(is_held(
            &state(Some("18446744073709551615"), i64::MIN),
            i64::MAX
        ));
    }
}
