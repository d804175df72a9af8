//! Appends entries.

pub(crate) mod limits;

use sse_core::backplane::{Appended, BackplaneError, Cursor, NewEntry};

use crate::{
    epochs::Current,
    error::unavailable,
    fingerprint::{Fingerprint, HEADER_BYTES},
    jetstream::{Ack, ApiError, read_ack},
    request_reply::RequestError,
    shared::{CALL, Shared},
};

/// Maximum number of attempts. Each attempt but the first follows an attempt whose epoch had no
/// listener.
const TRIES: usize = 3;

impl Shared {
    pub(crate) async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        self.check_size(entry.payload.len())?;
        let _under_way = self.appends.begin(entry.payload.len())?;
        entry
            .key
            .as_ref()
            .map_or(Ok(()), |key| self.appends.count(key))?;
        let key = entry.key.as_ref().map(|key| &**key.text());
        for _ in 0..TRIES {
            let log = self.epochs.current().await?;
            let (headers, fingerprint) = self.appends.marker.headers(&self.names.log_stream, key);
            let answer = self
                .requests
                .request(&log.subject, headers, entry.payload.clone(), CALL)
                .await;
            match answer {
                Ok(message) => match read_ack(&message.payload) {
                    Err(ApiError::Broken(error)) => {
                        self.epochs.make_again(&log.epoch, error).await?;
                    }
                    Err(ApiError::TooLarge) => {
                        return Err(self.too_large(entry.payload.len()).await);
                    }
                    ack => return self.acknowledged(&log, ack, fingerprint).await,
                },
                Err(RequestError::NoResponders) => self.epochs.find().await.map(drop)?,
                Err(RequestError::Failed(error)) => return Err(error),
            }
        }
        Err(unavailable(
            "no stream accepts the entry: the log is changing",
        ))
    }

    /// Interprets an acknowledgement.
    async fn acknowledged(
        &self,
        log: &Current,
        ack: Result<Ack, ApiError>,
        fingerprint: Fingerprint,
    ) -> Result<Appended, BackplaneError> {
        let ack = ack?;
        if ack.stream != self.names.log_stream {
            return Err(BackplaneError::rejected(format!(
                "entries are stored in another stream, {}",
                ack.stream
            )));
        }
        let appended = Appended {
            cursor: Cursor::new(log.epoch.clone(), ack.seq.into()),
            duplicate: ack.duplicate,
        };
        let is_new = ack.duplicate || ack.seq > log.seen;
        if is_new && self.connection.is(log.generation) {
            if !ack.duplicate {
                self.epochs
                    .saw(&log.epoch, log.generation, ack.seq, fingerprint);
            }
            return Ok(appended);
        }
        // The entry was sent over a new connection, or has the position of an earlier entry, so the
        // log that contains it is unknown.
        self.epochs.doubt();
        let now = self.epochs.find().await?;
        if is_new && now.epoch == log.epoch {
            return Ok(appended);
        }
        Err(unavailable(
            "the log was replaced while an entry was in flight",
        ))
    }

    /// Returns the error for an entry that exceeds the stream's limit. The stream's limit can be
    /// lower than the server's.
    async fn too_large(&self, size: usize) -> BackplaneError {
        match self.jetstream.stream_info(&self.names.log_stream).await {
            Ok(info) => {
                let limit = info.config["max_msg_size"]
                    .as_u64()
                    .and_then(|limit| usize::try_from(limit).ok());
                let limit = limit.unwrap_or(usize::MAX).saturating_sub(HEADER_BYTES);
                BackplaneError::TooLarge { size, limit }
            }
            Err(error) => error.into(),
        }
    }

    pub(crate) fn check_size(&self, size: usize) -> Result<(), BackplaneError> {
        let limit = self
            .connection
            .client()
            .max_payload()
            .saturating_sub(HEADER_BYTES);
        if size > limit {
            Err(BackplaneError::TooLarge { size, limit })
        } else {
            Ok(())
        }
    }
}
