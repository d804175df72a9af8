//! A connection that many share.

use std::sync::Arc;

use redis::RedisError;
use sse_core::BackplaneError;
use tokio::sync::Mutex;

use crate::{center::Center, error, link::Link};

/// A connection that many share, made when it is needed and when the last one ended.
pub(crate) struct Slot {
    center: Arc<Center>,
    link: Mutex<Option<Arc<Link>>>,
}

impl Slot {
    pub(crate) fn new(center: Arc<Center>) -> Self {
        Self { center, link: Mutex::new(None) }
    }

    /// The connection. Fails at once while it makes no sense to try to make one.
    pub(crate) async fn link(&self) -> Result<Arc<Link>, BackplaneError> {
        let mut slot = self.link.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| !link.is_over()) {
            return Ok(Arc::clone(link));
        }
        // What the old one saw is to be found by the new one.
        *slot = None;
        let link = Arc::new(self.center.connect().await?);
        *slot = Some(Arc::clone(&link));
        Ok(link)
    }

    /// The connection is of no use any more.
    pub(crate) async fn discard(&self, link: &Arc<Link>) {
        let mut slot = self.link.lock().await;
        if slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, link)) {
            *slot = None;
        }
    }

    /// Asks something that does no harm if it is asked twice, which it is when the connection turns out to be gone.
    pub(crate) async fn ask<T, F>(&self, question: impl Fn(Arc<Link>) -> F) -> Result<T, BackplaneError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let mut result = self.attempt(&question).await?;
        if result.as_ref().is_err_and(|error| error.is_connection_dropped() || error::lacks_script(error)) {
            result = self.attempt(&question).await?;
        }
        result.map_err(error::translate)
    }

    async fn attempt<T, F>(
        &self,
        question: impl Fn(Arc<Link>) -> F,
    ) -> Result<Result<T, RedisError>, BackplaneError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let link = self.link().await?;
        let result = question(Arc::clone(&link)).await;
        if result.as_ref().is_err_and(error::ends_connection) {
            self.discard(&link).await;
        }
        Ok(result)
    }
}
