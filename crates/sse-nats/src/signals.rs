//! What is told beside the log: NATS itself, without JetStream.

use std::sync::Arc;

use async_nats::Subscriber;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use sse_core::{BackplaneError, Signals};
use tokio::{task::yield_now, time::Instant};

use crate::{
    connection::{Connection, Generation},
    error::unavailable,
    jetstream::PATIENCE,
    request_reply::quoted,
    shared::Shared,
};

impl Shared {
    /// Tells every node that listens.
    pub(crate) async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        self.connection.up()?;
        // A complaint may come to us behind the answer that follows it: then it is found by the
        // next one.
        let since = std::mem::replace(&mut *self.signalled.lock(), Instant::now());
        self.connection
            .client()
            .publish(self.names.signal.clone(), payload)
            .await
            .map_err(unavailable)?;
        // Says that the server looked at it.
        self.requests.round_trip(PATIENCE).await?;
        for _ in 0..COMPLAINTS {
            yield_now().await;
        }
        self.connection
            .complaint(&format!("Publish to {}", quoted(&self.names.signal)), since)
            .map_or(Ok(()), Err)
    }
}

/// How many turns other tasks have to bring a complaint.
const COMPLAINTS: usize = 4;

/// Listens. The driver would go on over a new connection and say nothing of what came in between,
/// so this ends with its connection.
pub(crate) struct NatsSignals {
    shared: Arc<Shared>,
    subscriber: Subscriber,
    generation: Generation,
    /// How often messages had been lost before.
    overruns: u64,
    /// When it began to listen.
    since: Instant,
}

impl NatsSignals {
    pub(crate) async fn start(shared: Arc<Shared>) -> Result<Self, BackplaneError> {
        let generation = shared.connection.up()?;
        let (overruns, since) = (shared.connection.overruns(), Instant::now());
        let subscriber = shared
            .connection
            .client()
            .subscribe(shared.names.signal.clone())
            .await
            .map_err(unavailable)?;
        shared.requests.round_trip(PATIENCE).await?;
        for _ in 0..COMPLAINTS {
            yield_now().await;
        }
        let signals = Self {
            shared,
            subscriber,
            generation,
            overruns,
            since,
        };
        signals.check()?;
        signals
            .connection()
            .complaint(&signals.denied(), since)
            .map_or(Ok(signals), Err)
    }

    fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// What the server says of one who may not listen.
    fn denied(&self) -> String {
        format!("Subscription to {}", quoted(&self.shared.names.signal))
    }

    fn check(&self) -> Result<(), BackplaneError> {
        if !self.shared.connection.is(self.generation) {
            return Err(unavailable("the connection was lost"));
        }
        if self.shared.connection.overruns() != self.overruns {
            return Err(unavailable("signals came faster than they were taken"));
        }
        Ok(())
    }
}

#[async_trait]
impl Signals for NatsSignals {
    async fn next(&mut self) -> Result<Bytes, BackplaneError> {
        self.check()?;
        let denied = self.denied();
        let message = tokio::select! {
            message = self.subscriber.next() => message,
            () = self.shared.connection.lost(self.generation) => None,
            complaint = self.shared.connection.complains(&denied, self.since) => return Err(complaint),
        };
        message
            .map(|message| message.payload)
            .ok_or_else(|| unavailable("the connection was lost"))
    }
}
