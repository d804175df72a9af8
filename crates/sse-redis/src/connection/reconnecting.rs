//! A shared connection.

use std::sync::Arc;

use async_trait::async_trait;
use redis::RedisError;
use sse_core::backplane::BackplaneError;
use tokio::sync::Mutex;

use crate::{
    connection::{RedisConnection, connector::Purpose},
    error,
    shared::Shared,
};

/// A shared connection, made when it is needed and again after it has ended.
pub(crate) struct Reconnecting<C> {
    shared: Arc<Shared>,
    connection: Mutex<Option<Arc<C>>>,
}

/// A connection that can be made again.
#[async_trait]
pub(crate) trait Connect: Sized {
    async fn connect(shared: &Arc<Shared>) -> Result<Self, BackplaneError>;

    /// Returns `true` if the connection cannot be used any more.
    fn is_over(&self) -> bool;
}

#[async_trait]
impl Connect for RedisConnection {
    async fn connect(shared: &Arc<Shared>) -> Result<Self, BackplaneError> {
        shared.connect(Purpose::Questions).await
    }

    fn is_over(&self) -> bool {
        Self::is_over(self)
    }
}

impl<C: Connect> Reconnecting<C> {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            connection: Mutex::new(None),
        }
    }

    /// Returns the connection, and makes it if necessary. Fails at once during the delay after a
    /// failed attempt.
    pub(crate) async fn connection(&self) -> Result<Arc<C>, BackplaneError> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_over()) {
            return Ok(Arc::clone(connection));
        }
        // The new connection must find the entries that the old one saw.
        *slot = None;
        let connection = Arc::new(C::connect(&self.shared).await?);
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Removes a connection that is of no more use.
    pub(crate) async fn discard(&self, connection: &Arc<C>) {
        let mut slot = self.connection.lock().await;
        if slot
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, connection))
        {
            *slot = None;
        }
    }
}

impl Reconnecting<RedisConnection> {
    /// Runs a request that does no harm if it is executed twice. It is repeated on a new connection
    /// if the first connection turns out to be lost.
    pub(crate) async fn ask<T, F>(
        &self,
        question: impl Fn(Arc<RedisConnection>) -> F,
    ) -> Result<T, BackplaneError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let mut result = self.attempt(&question).await?;
        if result
            .as_ref()
            .is_err_and(|error| error.is_connection_dropped() || error::lacks_script(error))
        {
            result = self.attempt(&question).await?;
        }
        result.map_err(error::translate)
    }

    async fn attempt<T, F>(
        &self,
        question: impl Fn(Arc<RedisConnection>) -> F,
    ) -> Result<Result<T, RedisError>, BackplaneError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let connection = self.connection().await?;
        let result = question(Arc::clone(&connection)).await;
        if result.as_ref().is_err_and(error::ends_connection) {
            self.discard(&connection).await;
        }
        Ok(result)
    }
}
