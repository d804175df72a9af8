//! A connection for appends.

use std::sync::Arc;

use async_trait::async_trait;
use redis::{Pipeline, RedisError, Value};
use sse_core::BackplaneError;

use crate::{
    append::{commands::Commands, pipeline::Wire},
    connection::{Link, connector::Purpose, reconnecting::Connect},
    error, reply,
    shared::Center,
};

/// A connection for appends: made, logged in and proven by the driver, and used without it.
pub(crate) struct Lane {
    pub(crate) link: Link,
    wire: Wire,
}

#[async_trait]
impl Connect for Lane {
    async fn connect(center: &Arc<Center>) -> Result<Self, BackplaneError> {
        let link = center.connect(Purpose::Questions).await?;
        let socket = link.connected.socket.take();
        let socket =
            socket.ok_or_else(|| BackplaneError::unavailable(error::SOON, "the connection is gone"))?;
        Ok(Self { link, wire: Wire::new(socket, center.config.response_timeout) })
    }

    fn is_over(&self) -> bool {
        self.wire.is_over() || self.link.is_outdated()
    }
}

impl Lane {
    /// Asks many things; each may be refused for itself.
    pub(crate) async fn ask(&self, Commands { bytes, count }: Commands) -> Result<Vec<Value>, RedisError> {
        self.wire.ask(bytes, count).await
    }

    /// Asks many things between which nothing happens.
    pub(crate) async fn ask_atomically(&self, mut pipe: Pipeline) -> Result<Vec<Value>, RedisError> {
        pipe.atomic();
        let count = pipe.len();
        // With `MULTI` and `EXEC`.
        let answers = self.wire.ask(pipe.get_packed_pipeline(), count + 2).await?;
        reply::of_transaction(answers, count)
    }
}
