//! A connection to a server that has everything this node saw.

pub(crate) mod address;
pub(crate) mod backoff;
pub(crate) mod connect;
pub(crate) mod connector;
pub(crate) mod reconnecting;
pub(crate) mod sentinels;
pub(crate) mod server;
pub(crate) mod socket;
pub(crate) mod tls;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use redis::{Cmd, Pipeline, RedisError, Value, aio::MultiplexedConnection};
use sse_core::backplane::{BackplaneError, Epoch, Position};

use crate::{
    connection::connector::Connected,
    entry_id, error,
    high_water_marks::{HighWaterMark, MarksSnapshot},
    log_info::LogInfo,
    reply::{self, RawEntry, unexpected},
    scripts::{Script, Scripts},
    shared::Shared,
};

/// A connection to a server that had everything this node saw when the connection was made, with
/// the epoch of the log at that time.
pub(crate) struct RedisConnection {
    id: u64,
    pub(crate) connected: Connected,
    scripts: Scripts,
    pub(crate) epoch: Epoch,
    pub(crate) shared: Arc<Shared>,
    /// Set if the log has another epoch now.
    outdated: AtomicBool,
}

/// A connection to a server that has not been verified yet.
pub(crate) struct UnverifiedConnection {
    pub(crate) id: u64,
    pub(crate) connected: Connected,
    pub(crate) scripts: Scripts,
    /// The server's run and history.
    pub(crate) server: Arc<str>,
}

/// Maximum number of attempts if other connections interfere.
const ATTEMPTS: usize = 3;

impl UnverifiedConnection {
    /// Checks that the server has everything this node saw, and sets a new epoch if it does not.
    pub(crate) async fn verify(
        mut self,
        shared: &Arc<Shared>,
    ) -> Result<RedisConnection, BackplaneError> {
        for _ in 0..ATTEMPTS {
            let snapshot = shared.high_water_marks.snapshot();
            let epoch = self
                .examine(shared, &snapshot)
                .await
                .map_err(error::translate)?;
            if shared
                .high_water_marks
                .confirmed(self.id, &self.server, &epoch, &snapshot)
            {
                let Self {
                    id,
                    connected,
                    scripts,
                    ..
                } = self;
                let shared = Arc::clone(shared);
                let outdated = AtomicBool::new(false);
                return Ok(RedisConnection {
                    id,
                    connected,
                    scripts,
                    epoch,
                    shared,
                    outdated,
                });
            }
        }
        Err(BackplaneError::unavailable(
            error::SOON,
            "the epoch of the log keeps changing",
        ))
    }

    /// Returns the epoch of the log, which is a new one if the log lacks an entry that this node
    /// saw.
    async fn examine(
        &mut self,
        shared: &Shared,
        snapshot: &MarksSnapshot,
    ) -> Result<Epoch, RedisError> {
        let log = &*shared.keys.log;
        let mut pipe = redis::pipe();
        pipe.add_command(self.scripts.call(Script::Open, &[log]))
            .arg(Epoch::random().as_str());
        for mark in &snapshot.marks {
            let id = entry_id::of(mark.position);
            pipe.cmd("XRANGE").arg(log).arg(&id).arg(&id);
        }
        let mut answers = atomically(&mut self.connected.connection, pipe)
            .await?
            .into_iter();
        let info = LogInfo::read(answers.next().unwrap_or_default())?;
        let info = info.ok_or_else(|| unexpected("the log was created and does not exist"))?;
        if snapshot.epoch.as_ref() != Some(&info.epoch) {
            return Ok(info.epoch);
        }
        let newest = snapshot.marks.iter().map(|mark| mark.position).max();
        for (mark, found) in snapshot.marks.iter().zip(answers) {
            let found = reply::entries(reply::checked(found)?)?.pop();
            // A connection may have been idle while the entries that it saw were trimmed. Another
            // server's claim to have trimmed an entry is therefore doubted only for the newest one.
            let same = *mark.server == *self.server || Some(mark.position) != newest;
            if !has(
                mark,
                found,
                &info,
                if same { Believed::Yes } else { Believed::No },
            ) {
                tracing::warn!(position = %mark.position, "lost acknowledged entries of the event log: setting a new epoch");
                return declare(
                    &mut self.connected.connection,
                    &self.scripts,
                    log,
                    &info.epoch,
                )
                .await;
            }
        }
        Ok(info.epoch)
    }
}

/// Trust in the claim of a server that it trimmed an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Believed {
    Yes,
    /// Another server might make that claim about an entry that it never had.
    No,
}

fn has(mark: &HighWaterMark, found: Option<RawEntry>, info: &LogInfo, believed: Believed) -> bool {
    match (found, &mark.payload) {
        (Some(found), Some(payload)) => found.payload.as_ref() == Some(payload),
        (Some(_), None) => true,
        (None, _) if mark.position < info.trimmed => believed == Believed::Yes,
        (None, _) => mark.position == info.trimmed,
    }
}

impl RedisConnection {
    /// Returns `true` if the connection cannot be used any more.
    pub(crate) fn is_over(&self) -> bool {
        self.connected.driver.is_over() || self.is_outdated()
    }

    /// Returns `true` if the log was seen to have another epoch.
    pub(crate) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }

    pub(crate) fn log(&self) -> &str {
        &self.shared.keys.log
    }

    pub(crate) fn call(&self, script: Script, keys: &[&str]) -> Cmd {
        self.scripts.call(script, keys)
    }

    /// Returns a call of a script, with the log as its key.
    pub(crate) fn call_log(&self, script: Script) -> Cmd {
        self.scripts.call(script, &[self.log()])
    }

    /// Returns the command that trims the log to its retention.
    pub(crate) fn trim(&self) -> Cmd {
        let retention = &self.shared.config.retention;
        let mut command = self.call_log(Script::Trim);
        command
            .arg(u64::try_from(retention.age.as_millis()).unwrap_or(u64::MAX))
            .arg(retention.bytes);
        command
    }

    /// Sends a command. Fails with the error of the server.
    pub(crate) async fn ask(&self, command: &Cmd) -> Result<Value, RedisError> {
        self.connected
            .connection
            .clone()
            .send_packed_command(command)
            .await
            .and_then(reply::checked)
    }

    /// Sends several commands. Each of them can fail on its own.
    pub(crate) async fn ask_many(
        &self,
        pipe: &Pipeline,
        count: usize,
    ) -> Result<Vec<Value>, RedisError> {
        let answers = self
            .connected
            .connection
            .clone()
            .send_packed_commands(pipe, 0, count)
            .await?;
        if answers.len() == count {
            Ok(answers)
        } else {
            Err(unexpected("too few replies"))
        }
    }

    /// Sends several commands that the server executes without anything in between.
    pub(crate) async fn ask_atomically(&self, pipe: Pipeline) -> Result<Vec<Value>, RedisError> {
        atomically(&mut self.connected.connection.clone(), pipe).await
    }

    /// Subscribes to a channel.
    pub(crate) async fn listen(&self, channel: &str) -> Result<(), RedisError> {
        self.connected.connection.clone().subscribe(channel).await
    }

    /// Sets a new epoch of the log, unless another node already did.
    pub(crate) async fn declare(&self) -> Result<Epoch, RedisError> {
        declare(
            &mut self.connected.connection.clone(),
            &self.scripts,
            self.log(),
            &self.epoch,
        )
        .await
    }

    /// Records the last position of the log that the server reported.
    pub(crate) fn saw_log(&self, info: &LogInfo) {
        self.saw_entries(info, &[]);
        if info.epoch == self.epoch {
            self.saw(info.head, None);
        }
    }

    /// Records entries that the server returned, and the log that contains them.
    pub(crate) fn saw_entries(&self, info: &LogInfo, entries: &[RawEntry]) {
        if info.epoch != self.epoch {
            // Anything seen from now on would not be remembered.
            self.outdated.store(true, Ordering::Relaxed);
        } else if let Some(last) = entries.last() {
            self.saw(last.position, last.payload.clone());
        }
    }

    /// Records an entry that the server returned.
    pub(crate) fn saw(&self, position: Position, payload: Option<Bytes>) {
        self.shared
            .high_water_marks
            .saw(self.id, &self.epoch, position, payload);
    }
}

impl Drop for RedisConnection {
    fn drop(&mut self) {
        self.shared.high_water_marks.ended(self.id);
    }
}

async fn declare(
    connection: &mut MultiplexedConnection,
    scripts: &Scripts,
    log: &str,
    lost: &Epoch,
) -> Result<Epoch, RedisError> {
    let mut command = scripts.call(Script::NewEpoch, &[log]);
    command.arg(lost.as_str()).arg(Epoch::random().as_str());
    let info = LogInfo::read(connection.send_packed_command(&command).await?)?;
    Ok(info
        .ok_or_else(|| unexpected("the log does not exist any more"))?
        .epoch)
}

async fn atomically(
    connection: &mut MultiplexedConnection,
    mut pipe: Pipeline,
) -> Result<Vec<Value>, RedisError> {
    pipe.atomic();
    let count = pipe.len();
    let answers = connection.send_packed_commands(&pipe, count + 1, 1).await;
    match answers.and_then(|answers| reply::of_transaction(answers, count)) {
        Err(error) if error::is_blocked(&error) => in_turn(connection, &pipe).await,
        answers => answers,
    }
}

/// Sends the commands of a transaction without the transaction. The first command checks the log,
/// and is sent again at the end: if both replies are the same, the log did not change in between.
///
/// A server whose memory is full rejects all commands of a transaction, also those that only read.
async fn in_turn(
    connection: &mut MultiplexedConnection,
    transaction: &Pipeline,
) -> Result<Vec<Value>, RedisError> {
    let mut pipe = redis::pipe();
    let mut commands = transaction.cmd_iter();
    let info = commands.next();
    for command in info.into_iter().chain(commands).chain(info) {
        pipe.add_command(command.clone());
    }
    let mut answers = connection
        .send_packed_commands(&pipe, 0, pipe.len())
        .await?;
    let last = answers.pop();
    if last.as_ref() == answers.first() {
        Ok(answers)
    } else {
        Err(unexpected("the log is changing"))
    }
}
