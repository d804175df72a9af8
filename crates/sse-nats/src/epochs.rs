//! Which log there is: the same answer on every node, and another one when it lost something.
//!
//! An epoch is random, and stands in the one subject that the log's stream listens to. So it is
//! made together with the stream, all nodes read it there, and whoever appends in an epoch that is
//! over speaks to a subject where nobody listens. A stream that was made again has another one.
//!
//! One whose files were replaced by an older copy has an old one. A node that notices gives the
//! stream a new subject; of several that notice at once, the last one counts. It notices when it
//! looks, on every connection and whenever something ends or does not add up, that
//! - an entry that it has seen is not there, though nothing behind it was trimmed, or is another
//!   one;
//! - the epoch is one that it saw replaced before;
//! - the stream was made at another time than before, and has the old epoch all the same.
//!
//! Whoever reads or follows looks after making its consumer. A consumer ends with its stream and
//! with its server, so if the epoch was right then, what the consumer brings is of that epoch.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_nats::Subject;
use parking_lot::Mutex;
use sse_core::{BackplaneError, Epoch};
use tokio::{
    sync::{Mutex as AsyncMutex, OnceCell},
    time::{Instant, sleep},
};

use crate::{
    config::NatsConfig,
    connection::{Connection, Generation},
    error::unavailable,
    fingerprint::Fingerprint,
    jetstream::{ApiError, JetStream, ServerError, StreamInfo},
    log_info::LogInfo,
    names::Names,
    stream_config::{ConfigDiff, StreamConfig},
};

/// What we know of the log, and finding out.
#[derive(Debug)]
pub(crate) struct Epochs {
    connection: Arc<Connection>,
    jetstream: Arc<JetStream>,
    names: Arc<Names>,
    log: StreamConfig,
    state: StreamConfig,
    known: Mutex<Known>,
    set_up: OnceCell<()>,
    /// Held by the one who sets a new epoch or makes a stream again, with when that was done last.
    replacing: AsyncMutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Known {
    log: Option<KnownLog>,
    /// Epochs that were replaced, the latest last.
    replaced: VecDeque<Epoch>,
}

#[derive(Debug, Clone)]
struct KnownLog {
    epoch: Epoch,
    subject: Subject,
    /// When the stream was made.
    created: String,
    /// The connection over which it was found to be right.
    generation: Generation,
    /// The latest entry that was acknowledged to us or came to us.
    seen: Option<(u64, Fingerprint)>,
}

/// The log that appends go to.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) epoch: Epoch,
    pub(crate) subject: Subject,
    pub(crate) generation: Generation,
    /// The latest sequence that was seen: new ones are beyond.
    pub(crate) seen: u64,
}

/// One look.
#[derive(Debug)]
struct Inspection {
    generation: Generation,
    info: StreamInfo,
    epoch: Epoch,
    /// What we knew when we looked, and whether the latest entry of it is there.
    known: Option<(KnownLog, Seen)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It is there, or was trimmed.
    There,
    /// It is not, or something else is.
    Lost,
}

/// What a look says of the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    /// It is an old one.
    Old,
    /// An entry is missing.
    Lost,
}

/// Epochs that are remembered to have been replaced.
const REPLACED: usize = 64;

/// Looks until the answer stands. Each but the first follows something that another node did
/// meanwhile.
const LOOKS: usize = 5;

/// How long to wait before an entry is believed to be lost: a cluster's new leader may not have
/// applied what it has.
const SECOND_LOOK: Duration = Duration::from_millis(250);

/// How long a server may take to delete a stream after it said that the stream is not there.
/// Another node may wait up to twice as long.
const DELETION: Duration = Duration::from_millis(300);

/// A stream that loses its files again so soon would do so the next time.
const MADE_AGAIN: Duration = Duration::from_secs(5);

impl Epochs {
    pub(crate) fn new(
        connection: Arc<Connection>,
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

    /// Makes the streams, or sets those that are there to what is configured.
    async fn set_up(&self) -> Result<(), BackplaneError> {
        for settings in [&self.log, &self.state] {
            let info = self.stream(settings).await?;
            match settings.difference(&info.config) {
                ConfigDiff::None => {}
                ConfigDiff::Changeable(config) => {
                    tracing::info!(
                        stream = settings.stream,
                        "changing the settings of a stream"
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

    /// Makes the log anew whose stream lost its files, unless somebody did so already.
    ///
    /// nats-server 2.9 removes the files of a stream that is made while the one of the same name is
    /// being deleted. It accepts entries until it closes the files, and none from then on. What it
    /// accepted is lost, so the new log has another epoch.
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

    /// The same for the stream of states.
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
        tracing::warn!(stream, %error, "deleting a stream whose files the server lost, to make it anew");
        match self.jetstream.delete_stream(stream).await {
            Ok(()) | Err(ApiError::Missing) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the stream of states if it went away.
    pub(crate) async fn make_state(&self) -> Result<(), BackplaneError> {
        self.stream(&self.state).await.map(drop)
    }

    /// The log as last found over the connection that there is; looks if it was not.
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

    /// Looks which log there is.
    pub(crate) async fn find(&self) -> Result<LogInfo, BackplaneError> {
        self.set_up.get_or_try_init(|| self.set_up()).await?;
        for _ in 0..LOOKS {
            if let Some(found) = self.try_find().await? {
                return Ok(found);
            }
        }
        Err(unavailable("other nodes keep changing the log"))
    }

    /// Takes a look for an answer if the epoch is right, and sets a new one otherwise.
    async fn try_find(&self) -> Result<Option<LogInfo>, BackplaneError> {
        let look = self.look().await?;
        if self.verdict(&look) == Verdict::Right {
            return Ok(self.adopt(look));
        }
        let _alone = self.replacing.lock().await;
        let mut look = self.look().await?;
        if self.verdict(&look) == Verdict::Lost {
            sleep(SECOND_LOOK).await;
            look = self.look().await?;
        }
        if self.verdict(&look) == Verdict::Right {
            return Ok(self.adopt(look));
        }
        self.replace(&look).await?;
        Ok(None)
    }

    /// Entries up to here were acknowledged to us or came to us, over this connection.
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

    /// Something does not add up: look again before anything is appended.
    pub(crate) fn doubt(&self) {
        if let Some(log) = self.known.lock().log.as_mut() {
            log.generation = Generation::NONE;
        }
    }

    async fn look(&self) -> Result<Inspection, BackplaneError> {
        let generation = self.connection.up()?;
        let known = self.known.lock().log.clone();
        let seen = known.as_ref().and_then(|known| known.seen);
        let (info, is_there) = tokio::try_join!(self.stream(&self.log), self.is_there(seen))?;
        let epoch = self.log.epoch(&info.config).ok_or_else(|| {
            let subjects = &info.config["subjects"];
            BackplaneError::rejected(format!(
                "the stream {} is not a log of ours: its subjects are {subjects}",
                self.log.stream
            ))
        })?;
        let seen = match seen {
            Some((sequence, _)) if !is_there && sequence > info.state.trimmed() => Seen::Lost,
            _ => Seen::There,
        };
        Ok(Inspection {
            generation,
            info,
            epoch,
            known: known.map(|known| (known, seen)),
        })
    }

    fn verdict(&self, look: &Inspection) -> Verdict {
        let known = look
            .known
            .as_ref()
            .filter(|(known, _)| known.epoch == look.epoch);
        match known {
            _ if self.known.lock().replaced.contains(&look.epoch) => Verdict::Old,
            Some((known, _)) if known.created != look.info.created => Verdict::Old,
            Some((_, Seen::Lost)) => Verdict::Lost,
            _ => Verdict::Right,
        }
    }

    /// Knows the epoch from now on; nothing if it was replaced since the look.
    fn adopt(&self, look: Inspection) -> Option<LogInfo> {
        let Inspection {
            generation,
            info,
            epoch,
            ..
        } = look;
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
                    tracing::warn!(from = %old.epoch, to = %epoch, "the log is another one now");
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

    async fn replace(&self, look: &Inspection) -> Result<(), BackplaneError> {
        let config = self.log.of_epoch(&look.info.config, &Epoch::random());
        tracing::warn!(epoch = %look.epoch, "the log lost entries: it gets a new epoch");
        match self
            .jetstream
            .update_stream(&self.log.stream, &config)
            .await
        {
            // If the stream went away, the next look will see that.
            Ok(_) | Err(ApiError::Missing) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn is_there(&self, seen: Option<(u64, Fingerprint)>) -> Result<bool, BackplaneError> {
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

    /// The stream, which is made if there is none.
    async fn stream(&self, settings: &StreamConfig) -> Result<StreamInfo, BackplaneError> {
        match self.jetstream.stream_info(&settings.stream).await {
            Err(ApiError::Missing) => self.make(settings).await,
            answer => Ok(answer?),
        }
    }

    async fn make(&self, settings: &StreamConfig) -> Result<StreamInfo, BackplaneError> {
        // A stream that was there a moment ago may still be going.
        if self.set_up.initialized() {
            sleep(DELETION.mul_f64(rand::random_range(1.0..=2.0))).await;
        }
        tracing::info!(stream = settings.stream, "making a stream");
        match self
            .jetstream
            .create_stream(&settings.stream, &settings.new_stream())
            .await
        {
            // Another node was first: its epoch counts.
            Err(ApiError::Conflict) => Ok(self.jetstream.stream_info(&settings.stream).await?),
            answer => Ok(answer?),
        }
    }
}

impl Known {
    fn forget(&mut self, epoch: Epoch) {
        if self.replaced.len() == REPLACED {
            self.replaced.pop_front();
        }
        self.replaced.push_back(epoch);
    }
}
