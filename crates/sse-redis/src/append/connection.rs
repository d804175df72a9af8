//! A connection for appends.

use std::sync::Arc;

use async_trait::async_trait;
use redis::{RedisError, Value};
use sse_core::backplane::BackplaneError;

use crate::{
    append::{commands::Commands, pipeline::Pipeline},
    connection::{RedisConnection, connector::Purpose, reconnecting::Connect},
    error, reply,
    shared::Shared,
};

/// A connection for appends. The driver makes it, logs in and verifies it; afterwards it is used
/// without the driver.
pub(crate) struct AppendConnection {
    pub(crate) connection: RedisConnection,
    pipeline: Pipeline,
}

#[async_trait]
impl Connect for AppendConnection {
    async fn connect(shared: &Arc<Shared>) -> Result<Self, BackplaneError> {
        let connection = shared.connect(Purpose::Questions).await?;
        let socket = connection.connected.socket.take();
        let socket = socket
            .ok_or_else(|| BackplaneError::unavailable(error::SOON, "the connection was lost"))?;
        Ok(Self {
            connection,
            pipeline: Pipeline::new(socket, shared.config.response_timeout),
        })
    }

    fn is_over(&self) -> bool {
        self.pipeline.is_over() || self.connection.is_outdated()
    }
}

impl AppendConnection {
    /// Sends several commands. Each of them can fail on its own.
    pub(crate) async fn ask(
        &self,
        Commands { bytes, count }: Commands,
    ) -> Result<Vec<Value>, RedisError> {
        self.pipeline.ask(bytes, count).await
    }

    /// Sends several commands that the server executes without anything in between.
    pub(crate) async fn ask_atomically(
        &self,
        mut pipe: redis::Pipeline,
    ) -> Result<Vec<Value>, RedisError> {
        pipe.atomic();
        let count = pipe.len();
        // The replies include those to `MULTI` and `EXEC`.
        let answers = self
            .pipeline
            .ask(pipe.get_packed_pipeline(), count + 2)
            .await?;
        reply::of_transaction(answers, count)
    }
}
