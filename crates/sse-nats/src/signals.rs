//! What is told beside the log: NATS itself, without JetStream.

use std::sync::Arc;

use async_nats::Subscriber;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use sse_core::{BackplaneError, Signals};

use crate::{api::PATIENCE, error::unavailable, link::Generation, shared::Shared};

/// Listens. The driver would go on over a new connection and say nothing of what came in between, so this ends with its connection.
pub(crate) struct NatsSignals {
    shared: Arc<Shared>,
    subscriber: Subscriber,
    generation: Generation,
    /// How often messages had been lost before.
    overruns: u64,
}

impl NatsSignals {
    pub(crate) async fn start(shared: Arc<Shared>) -> Result<Self, BackplaneError> {
        let generation = shared.link.up()?;
        let overruns = shared.link.overruns();
        let subscriber =
            shared.link.client().subscribe(shared.names.signal.clone()).await.map_err(unavailable)?;
        shared.replies.round_trip(PATIENCE).await?;
        let signals = Self { shared, subscriber, generation, overruns };
        signals.check()?;
        Ok(signals)
    }

    fn check(&self) -> Result<(), BackplaneError> {
        if !self.shared.link.is(self.generation) {
            return Err(unavailable("the connection was lost"));
        }
        if self.shared.link.overruns() != self.overruns {
            return Err(unavailable("signals came faster than they were taken"));
        }
        Ok(())
    }
}

#[async_trait]
impl Signals for NatsSignals {
    async fn next(&mut self) -> Result<Bytes, BackplaneError> {
        self.check()?;
        let message = tokio::select! {
            message = self.subscriber.next() => message,
            () = self.shared.link.lost(self.generation) => None,
        };
        message.map(|message| message.payload).ok_or_else(|| unavailable("the connection was lost"))
    }
}
