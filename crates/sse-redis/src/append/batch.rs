//! A batch of appends.

use std::{sync::Arc, time::Duration};

use redis::{Cmd, RedisError, Value};
use sse_core::{
    backplane::{Appended, BackplaneError, Cursor, EntryKey, Epoch, KEY_WINDOW, Position},
    config::KeyBound,
};

use crate::{
    append::{commands::Commands, connection::AppendConnection, pending_append::PendingAppend},
    config::Replicas,
    connection::{RedisConnection, reconnecting::Reconnecting},
    entry_id, error,
    reply::{self, unexpected},
    scripts::Script,
    shared::Shared,
};

/// A batch of appends.
pub(crate) struct AppendBatch {
    waiting: Vec<PendingAppend>,
}

/// The outcome of an append.
pub(crate) enum AppendOutcome {
    /// The entry is stored at this position, in an epoch that the reply does not name.
    Stands(Position),
    /// The entry is stored at this position of this epoch, now or since an earlier append.
    StandsIn(Epoch, Position, Duplicate),
    /// The bound on keys is reached, so the entry was not appended. A retry makes sense after this
    /// time.
    NoRoom(KeyBound, Duration),
    /// The log does not exist, so the entry was not appended.
    NoLog,
    Failed(RedisError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duplicate {
    Yes,
    No,
}

/// Maximum number of attempts if the log is lost while an append is in flight.
const ATTEMPTS: usize = 3;

impl AppendBatch {
    pub(crate) fn new(waiting: Vec<PendingAppend>) -> Self {
        Self { waiting }
    }

    /// Completes every append of the batch.
    pub(crate) async fn run(mut self, slot: &Reconnecting<AppendConnection>) {
        for _ in 0..ATTEMPTS {
            let append_connection = match slot.connection().await {
                Ok(append_connection) => append_connection,
                Err(error) => return self.fail(&error),
            };
            let answers = match append_connection
                .ask(self.commands(&append_connection.connection))
                .await
            {
                Ok(answers) => answers,
                Err(error) => {
                    slot.discard(&append_connection).await;
                    return self.fail(&error::translate(error));
                }
            };
            self.sort(answers, slot, &append_connection).await;
            if self.waiting.is_empty() {
                return;
            }
        }
        self.fail(&BackplaneError::unavailable(
            error::SOON,
            "the log was lost repeatedly",
        ));
    }

    /// Returns a command for each append, a command for the epoch, and, if configured, a command
    /// for the number of replicas that have the whole batch.
    fn commands(&self, connection: &RedisConnection) -> Commands {
        let Shared { append, config, .. } = &*connection.shared;
        let payloads: usize = self
            .waiting
            .iter()
            .map(|waiting| waiting.entry.payload.len())
            .sum();
        let mut commands =
            Commands::with_capacity(payloads + self.waiting.len() * (append.len() + 16) + 256);
        for PendingAppend { entry, .. } in &self.waiting {
            match &entry.key {
                None => commands.add_from(append, &entry.payload),
                Some(key) => commands.add(&keyed(connection, key, &entry.payload)),
            }
        }
        // An epoch never recurs: if it is the same after the entries as when the connection was
        // made, the entries belong to it. The epoch's group has no consumers. A request for the
        // consumers costs less than a list of groups, and fails if the group does not exist.
        let group = reply::group_of(&connection.epoch);
        commands.add(
            redis::cmd("XINFO")
                .arg("CONSUMERS")
                .arg(connection.log())
                .arg(group),
        );
        if let Some(Replicas { count, within }) = &config.replicas {
            let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
            commands.add(redis::cmd("WAIT").arg(*count).arg(within));
        }
        if connection.shared.trimming_is_due() {
            commands.add(&connection.trim());
        }
        commands
    }

    /// Completes all appends whose outcome is known. Appends that were certainly not executed stay
    /// in the batch.
    async fn sort(
        &mut self,
        answers: Vec<Value>,
        slot: &Reconnecting<AppendConnection>,
        append_connection: &Arc<AppendConnection>,
    ) {
        let connection = &append_connection.connection;
        let mut answers = answers.into_iter();
        let outcomes: Vec<_> = answers
            .by_ref()
            .take(self.waiting.len())
            .map(outcome)
            .collect();
        let is_there = matches!(answers.next(), Some(Value::Array(_)));
        let durable = durable(connection.shared.config.replicas, answers.next().as_ref());
        let same = is_there && connection.shared.high_water_marks.is_in(&connection.epoch);
        let mut certain = Vec::new();
        let mut uncertain = Vec::new();
        let mut ended = !same;
        for (waiting, outcome) in std::mem::take(&mut self.waiting).into_iter().zip(outcomes) {
            match outcome {
                AppendOutcome::Stands(position) if same => {
                    certain.push((waiting, position, Duplicate::No));
                }
                AppendOutcome::StandsIn(of, position, duplicate)
                    if same && of == connection.epoch =>
                {
                    certain.push((waiting, position, duplicate));
                }
                AppendOutcome::Stands(position) => {
                    uncertain.push((waiting, position, Duplicate::No));
                }
                AppendOutcome::StandsIn(_, position, duplicate) => {
                    uncertain.push((waiting, position, duplicate));
                }
                AppendOutcome::NoLog => self.waiting.push(waiting),
                AppendOutcome::NoRoom(bound, retry_after) => waiting.refuse(bound, retry_after),
                AppendOutcome::Failed(error) if error::lacks_script(&error) => {
                    ended = true;
                    self.waiting.push(waiting);
                }
                AppendOutcome::Failed(error) => {
                    ended |= error::ends_connection(&error);
                    waiting.settle(Err(error::translate(error)));
                }
            }
        }
        ended |= !self.waiting.is_empty();
        acknowledge(connection, certain, &durable);
        if ended {
            slot.discard(append_connection).await;
        }
        if !uncertain.is_empty() {
            resolve(slot, uncertain, &durable).await;
        }
    }

    fn fail(self, error: &BackplaneError) {
        self.waiting
            .into_iter()
            .for_each(|waiting| waiting.settle(Err(again(error))));
    }
}

/// Returns the command that appends under a key.
fn keyed(connection: &RedisConnection, key: &EntryKey, payload: &[u8]) -> Cmd {
    let (names, limits) = (&connection.shared.keys, key.limits());
    let known = names.idempotency(key.text());
    let mut command = match key.user() {
        None => connection.call(
            Script::Append,
            &[connection.log(), &known, &names.of_backends],
        ),
        Some(user) => connection.call(
            Script::Append,
            &[
                connection.log(),
                &known,
                &names.of_users,
                &names.of_user(user),
            ],
        ),
    };
    let window = u64::try_from(KEY_WINDOW.as_millis()).unwrap_or(u64::MAX);
    command
        .arg(payload)
        .arg(&**key.text())
        .arg(window)
        .arg(connection.shared.config.retention.entries.max(1));
    match key.user() {
        None => command.arg(limits.of_backends),
        Some(_) => command.arg(limits.of_users).arg(limits.per_user),
    };
    command
}

pub(crate) fn outcome(answer: Value) -> AppendOutcome {
    match answer {
        Value::ServerError(error) => AppendOutcome::Failed(error.into()),
        Value::Nil => AppendOutcome::NoLog,
        Value::Array(facts) => facts_of(&facts)
            .unwrap_or_else(|| AppendOutcome::Failed(unexpected("invalid reply to an append"))),
        id => match reply::position(&id) {
            Some(position) => AppendOutcome::Stands(position),
            None => AppendOutcome::Failed(unexpected("invalid entry id in the reply to an append")),
        },
    }
}

fn facts_of(facts: &[Value]) -> Option<AppendOutcome> {
    if let [bound, wait] = facts {
        let bound = match reply::number(bound)? {
            0 => KeyBound::OfBackends,
            1 => KeyBound::OfUsers,
            _ => KeyBound::PerUser,
        };
        return Some(AppendOutcome::NoRoom(
            bound,
            Duration::from_millis(reply::number(wait)?),
        ));
    }
    let [epoch, id, duplicate] = facts else {
        return None;
    };
    let duplicate = if reply::number(duplicate)? == 0 {
        Duplicate::No
    } else {
        Duplicate::Yes
    };
    Some(AppendOutcome::StandsIn(
        reply::epoch(epoch)?,
        reply::position(id)?,
        duplicate,
    ))
}

/// Checks that as many replicas as configured have the batch.
fn durable(replicas: Option<Replicas>, answer: Option<&Value>) -> Result<(), BackplaneError> {
    let Some(Replicas { count, .. }) = replicas else {
        return Ok(());
    };
    let have = answer.and_then(reply::number).unwrap_or(0);
    if have >= u64::from(count) {
        return Ok(());
    }
    Err(BackplaneError::unavailable(
        error::SOON,
        format!("{have} of {count} replicas have the entry"),
    ))
}

fn acknowledge(
    connection: &RedisConnection,
    certain: Vec<(PendingAppend, Position, Duplicate)>,
    durable: &Result<(), BackplaneError>,
) {
    let last = certain.iter().max_by_key(|(_, position, _)| *position);
    if let Some((waiting, position, duplicate)) = last {
        // A second append under the same key may have had another payload.
        let payload = (*duplicate == Duplicate::No).then(|| waiting.entry.payload.clone());
        connection.saw(*position, payload);
    }
    for (waiting, position, duplicate) in certain {
        let cursor = Cursor::new(connection.epoch.clone(), position);
        let appended = Appended {
            cursor,
            duplicate: duplicate == Duplicate::Yes,
        };
        waiting.settle(durable.as_ref().map(|()| appended).map_err(again));
    }
}

/// Finds out whether entries are in the current log. They were appended, but it is not known to
/// which log.
async fn resolve(
    slot: &Reconnecting<AppendConnection>,
    uncertain: Vec<(PendingAppend, Position, Duplicate)>,
    durable: &Result<(), BackplaneError>,
) {
    let found = match slot.connection().await {
        Ok(append_connection) => find(&append_connection, &uncertain)
            .await
            .map(|found| (append_connection, found))
            .map_err(error::translate),
        Err(error) => Err(error),
    };
    let (append_connection, found) = match found {
        Ok(found) => found,
        Err(error) => {
            return uncertain
                .into_iter()
                .for_each(|(waiting, ..)| waiting.settle(Err(again(&error))));
        }
    };
    let (here, lost): (Vec<_>, Vec<_>) = uncertain
        .into_iter()
        .zip(found)
        .partition(|(_, found)| *found == FoundEntry::Yes);
    acknowledge(
        &append_connection.connection,
        here.into_iter().map(|(append, _)| append).collect(),
        durable,
    );
    for ((waiting, ..), _) in lost {
        waiting.settle(Err(BackplaneError::unavailable(
            error::SOON,
            "the log was lost together with the entry",
        )));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FoundEntry {
    Yes,
    No,
}

async fn find(
    append_connection: &AppendConnection,
    appends: &[(PendingAppend, Position, Duplicate)],
) -> Result<Vec<FoundEntry>, RedisError> {
    let connection = &append_connection.connection;
    let mut pipe = redis::pipe();
    pipe.cmd("XINFO").arg("GROUPS").arg(connection.log());
    for (_, position, _) in appends {
        let id = entry_id::of(*position);
        pipe.cmd("XRANGE").arg(connection.log()).arg(&id).arg(&id);
    }
    let mut answers = append_connection.ask_atomically(pipe).await?.into_iter();
    let epoch = answers
        .next()
        .and_then(|groups| reply::epoch_of_groups(&groups));
    if epoch.as_ref() != Some(&connection.epoch) {
        return Ok(vec![FoundEntry::No; appends.len()]);
    }
    let found = answers
        .zip(appends)
        .map(|(answer, (waiting, _, duplicate))| {
            let entry = reply::entries(reply::checked(answer)?)?.pop();
            let same = entry
                .and_then(|entry| entry.payload)
                .is_some_and(|payload| {
                    *duplicate == Duplicate::Yes || payload == waiting.entry.payload
                });
            Ok(if same {
                FoundEntry::Yes
            } else {
                FoundEntry::No
            })
        });
    found.collect()
}

/// Copies an error for another waiting append. The source of an error is only logged, so its text
/// is sufficient.
fn again(error: &BackplaneError) -> BackplaneError {
    match error {
        BackplaneError::Unavailable {
            retry_after,
            source,
        } => BackplaneError::unavailable(*retry_after, source.to_string()),
        BackplaneError::Blocked { reason, .. } => BackplaneError::blocked(reason.clone()),
        BackplaneError::Rejected { reason, .. } => BackplaneError::rejected(reason.clone()),
        error => BackplaneError::unavailable(error::SOON, error.to_string()),
    }
}
