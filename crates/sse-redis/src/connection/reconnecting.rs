//! A connection that many share.

use std::sync::Arc;

use async_trait::async_trait;
use redis::RedisError;
use sse_core::BackplaneError;
use tokio::sync::Mutex;

use crate::{
    connection::{Link, connector::Purpose},
    error,
    shared::Center,
};

/// A connection that many share, made when it is needed and when the last one ended.
pub(crate) struct Slot<C> {
    center: Arc<Center>,
    link: Mutex<Option<Arc<C>>>,
}

/// A connection that is made anew.
#[async_trait]
pub(crate) trait Connect: Sized {
    async fn connect(center: &Arc<Center>) -> Result<Self, BackplaneError>;

    /// Whether it can be used no more.
    fn is_over(&self) -> bool;
}

#[async_trait]
impl Connect for Link {
    async fn connect(center: &Arc<Center>) -> Result<Self, BackplaneError> {
        center.connect(Purpose::Questions).await
    }

    fn is_over(&self) -> bool {
        Self::is_over(self)
    }
}

impl<C: Connect> Slot<C> {
    pub(crate) fn new(center: Arc<Center>) -> Self {
        Self { center, link: Mutex::new(None) }
    }

    /// The connection. Fails at once while it makes no sense to try to make one.
    pub(crate) async fn link(&self) -> Result<Arc<C>, BackplaneError> {
        let mut slot = self.link.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| !link.is_over()) {
            return Ok(Arc::clone(link));
        }
        // What the old one saw is to be found by the new one.
        *slot = None;
        let link = Arc::new(C::connect(&self.center).await?);
        *slot = Some(Arc::clone(&link));
        Ok(link)
    }

    /// The connection is of no use any more.
    pub(crate) async fn discard(&self, link: &Arc<C>) {
        let mut slot = self.link.lock().await;
        if slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, link)) {
            *slot = None;
        }
    }
}

impl Slot<Link> {
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
