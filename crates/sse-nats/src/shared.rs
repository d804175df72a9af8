//! State that all handles of one backplane share.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use sse_core::backplane::BackplaneError;
use tokio::time::{Instant, timeout};

use crate::{
    append::limits::Appends,
    config::NatsConfig,
    connection::{InitialConnect, NatsConnection},
    epochs::Epochs,
    error::unavailable,
    jetstream::JetStream,
    names::Names,
    request_reply::Requests,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) connection: Arc<NatsConnection>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) jetstream: Arc<JetStream>,
    pub(crate) names: Arc<Names>,
    pub(crate) epochs: Epochs,
    pub(crate) appends: Appends,
    /// Time when the latest signal was sent.
    pub(crate) signalled: Mutex<Instant>,
}

/// Time limit of every call.
const LONGEST: Duration = Duration::from_secs(9);

/// Timeout of an append for its acknowledgement.
pub(crate) const CALL: Duration = Duration::from_secs(8);

impl Shared {
    pub(crate) async fn open(
        urls: &str,
        config: &NatsConfig,
        begin: InitialConnect,
    ) -> Result<Self, BackplaneError> {
        if let Some(problem) = config.problem() {
            return Err(BackplaneError::rejected(problem));
        }
        let names = Arc::new(Names::under(&config.prefix).map_err(BackplaneError::rejected)?);
        let connection = Arc::new(NatsConnection::open(urls, config, begin).await?);
        let requests = Arc::new(Requests::open(Arc::clone(&connection)).await?);
        let jetstream = Arc::new(JetStream::new(
            Arc::clone(&requests),
            config.domain.as_deref(),
        ));
        let epochs = Epochs::new(
            Arc::clone(&connection),
            Arc::clone(&jetstream),
            Arc::clone(&names),
            config,
        );
        let (appends, signalled) = (Appends::new(config), Mutex::new(Instant::now()));
        Ok(Self {
            connection,
            requests,
            jetstream,
            names,
            epochs,
            appends,
            signalled,
        })
    }
}

/// Limits the time of a call.
pub(crate) async fn bounded<T>(
    call: impl Future<Output = Result<T, BackplaneError>>,
) -> Result<T, BackplaneError> {
    timeout(LONGEST, call)
        .await
        .unwrap_or_else(|_| Err(unavailable("the call did not end in time")))
}
