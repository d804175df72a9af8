//! The identity of the log: the same epoch on every node, and another epoch after a loss.
//!
//! An epoch is random, and is part of the one subject that the log's stream listens to. Therefore
//! the epoch is created together with the stream, and all nodes read it from the stream. An append
//! in an ended epoch is sent to a subject without a listener. A stream that was created again has
//! another epoch.
//!
//! A stream whose files were replaced by an older copy has an old epoch. A node that detects an old
//! copy sets a new subject of the stream; if several nodes do so at once, the last one counts. A
//! node checks the log on every new connection, with every page, once a second while it follows the
//! log, and after an inconsistent acknowledgement. The node detects an old copy if
//! - an entry that the node has seen is missing without having been trimmed, or differs;
//! - the epoch is one that the node saw replaced before;
//! - the stream was created at another time than before, and still has the old epoch.
//!
//! Readers and tails check the epoch after they have created their consumer. A consumer ends with
//! its stream and with its server. If the epoch was right at that time, all entries of the consumer
//! are of that epoch.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_nats::Subject;
use parking_lot::Mutex;
use sse_core::backplane::{BackplaneError, Epoch};
use tokio::{
    sync::{Mutex as AsyncMutex, OnceCell},
    time::{Instant, sleep},
};

use crate::{
    config::NatsConfig,
    connection::{Generation, NatsConnection},
    error::unavailable,
    fingerprint::Fingerprint,
    jetstream::{ApiError, JetStream, JetStreamInfo, ServerError},
    log_info::LogInfo,
    names::Names,
    stream_config::{ConfigDiff, StreamConfig},
};

/// The known state of the log, and the checks that update it.
#[derive(Debug)]
pub(crate) struct Epochs {
    connection: Arc<NatsConnection>,
    jetstream: Arc<JetStream>,
    names: Arc<Names>,
    log: StreamConfig,
    state: StreamConfig,
    known: Mutex<KnownLogs>,
    set_up: OnceCell<()>,
    /// Locked while a new epoch is set or a stream is created again. Contains the time when that
    /// was last done.
    replacing: AsyncMutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct KnownLogs {
    log: Option<KnownLog>,
    /// Epochs that were replaced, the latest last.
    replaced: VecDeque<Epoch>,
}

#[derive(Debug, Clone)]
struct KnownLog {
    epoch: Epoch,
    subject: Subject,
    /// Time when the stream was created.
    created: String,
    /// The connection over which the epoch was last verified.
    generation: Generation,
    /// The latest entry that this node appended or received.
    seen: Option<(u64, Fingerprint)>,
}

/// The log that appends go to.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) epoch: Epoch,
    pub(crate) subject: Subject,
    pub(crate) generation: Generation,
    /// The latest sequence that was seen: sequences of new entries are greater.
    pub(crate) seen: u64,
}

/// The result of one inspection.
#[derive(Debug)]
struct Inspection {
    generation: Generation,
    info: JetStreamInfo,
    epoch: Epoch,
    /// The known log at the time of the inspection, and the state of its latest entry.
    known: Option<(KnownLog, Seen)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The entry exists, or was trimmed.
    Stored,
    /// The entry is missing or differs.
    Lost,
}

/// The verdict of an inspection on the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EpochVerdict {
    Right,
    /// The epoch was replaced before.
    Old,
    /// An entry is missing.
    Lost,
}

/// Maximum number of replaced epochs that are remembered.
const REPLACED: usize = 64;

/// Maximum number of inspections until the result is final. Each but the first follows a change
/// that another node made meanwhile.
const MAX_INSPECTIONS: usize = 5;

/// Delay before an entry is considered lost: a cluster's new leader may not have applied all its
/// entries yet.
const SECOND_INSPECTION_DELAY: Duration = Duration::from_millis(250);

/// Time that a server may need to delete a stream after reporting that the stream does not exist.
/// Nodes wait one to two times as long before they create the stream again.
const DELETION: Duration = Duration::from_millis(300);

/// Minimum interval between two creations of a stream: if its files are lost again that soon, they
/// would be lost the next time as well.
const MADE_AGAIN: Duration = Duration::from_secs(5);

impl Epochs {
    pub(crate) fn new(
        connection: Arc<NatsConnection>,
        jetstream: Arc<JetStream>,
        names: Arc<Names>,
        config: &NatsConfig,
    ) -> Self {
        Self {
            log: StreamConfig::of_log(config, &names),
            state: StreamConfig::of_state(config, &names),
            connection,
            jetstream,
            names,
            known: Mutex::default(),
            set_up: OnceCell::new(),
            replacing: AsyncMutex::default(),
        }
    }

    /// Creates the streams, or sets existing ones to the configuration.
    async fn set_up(&self) -> Result<(), BackplaneError> {
        for settings in [&self.log, &self.state] {
            let info = self.stream(settings).await?;
            match settings.difference(&info.config) {
                ConfigDiff::None => {}
                ConfigDiff::Changeable(config) => {
                    tracing::info!(
                        stream = settings.stream,
                        "detected outdated settings of a stream: updating the stream"
                    );
                    self.jetstream
                        .update_stream(&settings.stream, &config)
                        .await?;
                }
                ConfigDiff::Fixed(reason) => return Err(BackplaneError::rejected(reason)),
            }
        }
        Ok(())
    }

    /// Creates the log again after its stream lost its files, unless another node already did.
    ///
    /// nats-server 2.9 removes the files of a stream that is created while a stream of the same
    /// name is being deleted. The server accepts entries until it closes the files, and none from
    /// then on. The accepted entries are lost, so the new log has another epoch.
    pub(crate) async fn make_again(
        &self,
        broken: &Epoch,
        error: ServerError,
    ) -> Result<(), BackplaneError> {
        let mut made = self.replacing.lock().await;
        match self.jetstream.stream_info(&self.log.stream).await {
            Ok(info) if self.log.epoch(&info.config).as_ref() != Some(broken) => return Ok(()),
            Ok(_) if made.is_some_and(|made| made.elapsed() < MADE_AGAIN) => {
                return Err(ApiError::Broken(error).into());
            }
            Ok(_) => {}
            Err(ApiError::Missing) => return self.make(&self.log).await.map(drop),
            Err(error) => return Err(error.into()),
        }
        *made = Some(Instant::now());
        self.delete(&self.log, &error).await?;
        self.make(&self.log).await.map(drop)
    }

    /// Creates the stream of states again after it lost its files.
    pub(crate) async fn make_state_again(&self, error: ServerError) -> Result<(), BackplaneError> {
        let _alone = self.replacing.lock().await;
        self.delete(&self.state, &error).await?;
        self.make(&self.state).await.map(drop)
    }

    async fn delete(
        &self,
        settings: &StreamConfig,
        error: &ServerError,
    ) -> Result<(), BackplaneError> {
        let stream = &settings.stream;
        tracing::warn!(stream, %error, "lost the files of a stream on the server: recreating the stream");
        match self.jetstream.delete_stream(stream).await {
            Ok(()) | Err(ApiError::Missing) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates the stream of states if it was deleted.
    pub(crate) async fn make_state(&self) -> Result<(), BackplaneError> {
        self.stream(&self.state).await.map(drop)
    }

    /// Returns the log as last found over the current connection. Checks the log if it was not
    /// checked over this connection.
    pub(crate) async fn current(&self) -> Result<Current, BackplaneError> {
        let generation = self.connection.up()?;
        if let Some(current) = self.current_over(generation) {
            return Ok(current);
        }
        let found = self.find().await?;
        self.current_over(found.generation)
            .ok_or_else(|| unavailable("the connection or the log is changing"))
    }

    fn current_over(&self, generation: Generation) -> Option<Current> {
        let known = self.known.lock();
        let log = known
            .log
            .as_ref()
            .filter(|log| log.generation == generation)?;
        Some(Current {
            epoch: log.epoch.clone(),
            subject: log.subject.clone(),
            generation,
            seen: log.seen.map_or(0, |(sequence, _)| sequence),
        })
    }

    /// Checks the log and its epoch.
    pub(crate) async fn find(&self) -> Result<LogInfo, BackplaneError> {
        self.set_up.get_or_try_init(|| self.set_up()).await?;
        for _ in 0..MAX_INSPECTIONS {
            if let Some(found) = self.try_find().await? {
                return Ok(found);
            }
        }
        Err(unavailable("other nodes keep changing the log"))
    }

    /// Inspects the log. Returns a result if the epoch is right, and sets a new epoch otherwise.
    async fn try_find(&self) -> Result<Option<LogInfo>, BackplaneError> {
        let inspection = self.inspect().await?;
        if self.verdict(&inspection) == EpochVerdict::Right {
            return Ok(self.adopt(inspection));
        }
        let _alone = self.replacing.lock().await;
        let mut inspection = self.inspect().await?;
        if self.verdict(&inspection) == EpochVerdict::Lost {
            sleep(SECOND_INSPECTION_DELAY).await;
            inspection = self.inspect().await?;
        }
        if self.verdict(&inspection) == EpochVerdict::Right {
            return Ok(self.adopt(inspection));
        }
        self.replace(&inspection).await?;
        Ok(None)
    }

    /// Records the latest entry that this node appended or received over this connection.
    pub(crate) fn saw(
        &self,
        epoch: &Epoch,
        generation: Generation,
        sequence: u64,
        fingerprint: Fingerprint,
    ) {
        let mut known = self.known.lock();
        let Some(log) = known.log.as_mut() else {
            return;
        };
        let is_later = log.seen.is_none_or(|(seen, _)| seen < sequence);
        if log.epoch == *epoch && log.generation == generation && is_later {
            log.seen = Some((sequence, fingerprint));
        }
    }

    /// Requires another check before the next append, after an inconsistency.
    pub(crate) fn doubt(&self) {
        if let Some(log) = self.known.lock().log.as_mut() {
            log.generation = Generation::NONE;
        }
    }

    async fn inspect(&self) -> Result<Inspection, BackplaneError> {
        let generation = self.connection.up()?;
        let known = self.known.lock().log.clone();
        let seen = known.as_ref().and_then(|known| known.seen);
        let (info, is_stored) = tokio::try_join!(self.stream(&self.log), self.is_stored(seen))?;
        let epoch = self.log.epoch(&info.config).ok_or_else(|| {
            let subjects = &info.config["subjects"];
            BackplaneError::rejected(format!(
                "the stream {} is not a log of this library: its subjects are {subjects}",
                self.log.stream
            ))
        })?;
        let seen = match seen {
            Some((sequence, _)) if !is_stored && sequence > info.state.trimmed() => Seen::Lost,
            _ => Seen::Stored,
        };
        Ok(Inspection {
            generation,
            info,
            epoch,
            known: known.map(|known| (known, seen)),
        })
    }

    fn verdict(&self, inspection: &Inspection) -> EpochVerdict {
        let known = inspection
            .known
            .as_ref()
            .filter(|(known, _)| known.epoch == inspection.epoch);
        match known {
            _ if self.known.lock().replaced.contains(&inspection.epoch) => EpochVerdict::Old,
            Some((known, _)) if known.created != inspection.info.created => EpochVerdict::Old,
            Some((_, Seen::Lost)) => EpochVerdict::Lost,
            _ => EpochVerdict::Right,
        }
    }

    /// Adopts the epoch of an inspection. Returns `None` if the epoch was replaced since the
    /// inspection.
    fn adopt(&self, inspection: Inspection) -> Option<LogInfo> {
        let Inspection {
            generation,
            info,
            epoch,
            ..
        } = inspection;
        let mut known = self.known.lock();
        if known.replaced.contains(&epoch) {
            return None;
        }
        match &mut known.log {
            Some(log) if log.epoch == epoch => log.generation = generation,
            there => {
                let subject = format!("{}{epoch}", self.names.log).into();
                let new = KnownLog {
                    epoch: epoch.clone(),
                    subject,
                    created: info.created,
                    generation,
                    seen: None,
                };
                if let Some(old) = there.replace(new) {
                    tracing::warn!(from = %old.epoch, to = %epoch, "detected another log with a new epoch");
                    known.forget(old.epoch);
                }
            }
        }
        let (trimmed, head, holes) = (
            info.state.trimmed(),
            info.state.last_seq,
            info.state.num_deleted,
        );
        Some(LogInfo {
            epoch,
            generation,
            trimmed,
            head,
            holes,
        })
    }

    async fn replace(&self, inspection: &Inspection) -> Result<(), BackplaneError> {
        let config = self.log.of_epoch(&inspection.info.config, &Epoch::random());
        tracing::warn!(epoch = %inspection.epoch, "lost acknowledged entries of the log: setting a new epoch");
        match self
            .jetstream
            .update_stream(&self.log.stream, &config)
            .await
        {
            // If the stream was deleted, the next inspection finds that.
            Ok(_) | Err(ApiError::Missing) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn is_stored(&self, seen: Option<(u64, Fingerprint)>) -> Result<bool, BackplaneError> {
        let Some((sequence, fingerprint)) = seen else {
            return Ok(true);
        };
        match self
            .jetstream
            .message(&self.names.log_stream, sequence)
            .await
        {
            Ok(stored) => {
                Ok(Fingerprint::of_stored(&stored.headers, &stored.payload) == fingerprint)
            }
            Err(ApiError::Missing) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the stream, and creates it if it does not exist.
    async fn stream(&self, settings: &StreamConfig) -> Result<JetStreamInfo, BackplaneError> {
        match self.jetstream.stream_info(&settings.stream).await {
            Err(ApiError::Missing) => self.make(settings).await,
            answer => Ok(answer?),
        }
    }

    async fn make(&self, settings: &StreamConfig) -> Result<JetStreamInfo, BackplaneError> {
        // The server may still be deleting a stream that existed a moment ago.
        if self.set_up.initialized() {
            sleep(DELETION.mul_f64(rand::random_range(1.0..=2.0))).await;
        }
        tracing::info!(
            stream = settings.stream,
            "detected a missing stream: creating the stream"
        );
        match self
            .jetstream
            .create_stream(&settings.stream, &settings.new_stream())
            .await
        {
            // Another node created the stream first: its epoch counts.
            Err(ApiError::Conflict) => Ok(self.jetstream.stream_info(&settings.stream).await?),
            answer => Ok(answer?),
        }
    }
}

impl KnownLogs {
    fn forget(&mut self, epoch: Epoch) {
        if self.replaced.len() == REPLACED {
            self.replaced.pop_front();
        }
        self.replaced.push_back(epoch);
    }
}
