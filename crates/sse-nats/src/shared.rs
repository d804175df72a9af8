//! What handles of one backplane share.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use sse_core::BackplaneError;
use tokio::time::{Instant, timeout};

use crate::{
    append::limits::Appends,
    config::NatsConfig,
    connection::{Begin, Link},
    epochs::Epochs,
    error::unavailable,
    jetstream::Api,
    names::Names,
    request_reply::Replies,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) link: Arc<Link>,
    pub(crate) replies: Arc<Replies>,
    pub(crate) api: Arc<Api>,
    pub(crate) names: Arc<Names>,
    pub(crate) epochs: Epochs,
    pub(crate) appends: Appends,
    /// When the latest signal was sent.
    pub(crate) signalled: Mutex<Instant>,
}

/// No call takes longer, whatever happens meanwhile.
const LONGEST: Duration = Duration::from_secs(9);

/// An append waits so long for its acknowledgement.
pub(crate) const CALL: Duration = Duration::from_secs(8);

impl Shared {
    pub(crate) async fn open(urls: &str, config: &NatsConfig, begin: Begin) -> Result<Self, BackplaneError> {
        if let Some(problem) = config.problem() {
            return Err(BackplaneError::refused(problem));
        }
        let names = Arc::new(Names::under(&config.prefix).map_err(BackplaneError::refused)?);
        let link = Arc::new(Link::open(urls, config, begin).await?);
        let replies = Arc::new(Replies::open(Arc::clone(&link)).await?);
        let api = Arc::new(Api::new(Arc::clone(&replies), config.domain.as_deref()));
        let epochs = Epochs::new(Arc::clone(&link), Arc::clone(&api), Arc::clone(&names), config);
        let (appends, signalled) = (Appends::new(config), Mutex::new(Instant::now()));
        Ok(Self { link, replies, api, names, epochs, appends, signalled })
    }
}

/// Ends a call that takes too long.
pub(crate) async fn bounded<T>(
    call: impl Future<Output = Result<T, BackplaneError>>,
) -> Result<T, BackplaneError> {
    timeout(LONGEST, call).await.unwrap_or_else(|_| Err(unavailable("no end in time")))
}
