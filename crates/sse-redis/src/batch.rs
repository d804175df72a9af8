//! Appends that are handed over together.

use std::sync::Arc;

use redis::{Cmd, RedisError, Value};
use sse_core::{Appended, BackplaneError, Cursor, Epoch, Position};

use crate::{
    appends::{Waiting, key_window},
    config::Replicas,
    error, id,
    link::Link,
    reply::{self, unexpected},
    scripts::Script,
    slot::Slot,
};

/// Appends that are handed over together.
pub(crate) struct Batch {
    waiting: Vec<Waiting>,
}

/// What became of an append.
enum Outcome {
    /// It stands there, in the epoch that the server was in before or after.
    Stands(Position),
    /// It stands there in this epoch, or did before.
    StandsIn(Epoch, Position, Duplicate),
    /// There is no log, so it was not appended.
    NoLog,
    Failed(RedisError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duplicate {
    Yes,
    No,
}

/// How often a log may be lost while an append is under way.
const ATTEMPTS: usize = 3;

impl Batch {
    pub(crate) fn new(waiting: Vec<Waiting>) -> Self {
        Self { waiting }
    }

    /// Answers them all.
    pub(crate) async fn run(mut self, slot: &Slot) {
        for _ in 0..ATTEMPTS {
            let link = match slot.link().await {
                Ok(link) => link,
                Err(error) => return self.fail(&error),
            };
            let answers = match self.send(&link).await {
                Ok(answers) => answers,
                Err(error) => {
                    slot.discard(&link).await;
                    return self.fail(&error::translate(error));
                }
            };
            self.sort(answers, slot, &link).await;
            if self.waiting.is_empty() {
                return;
            }
        }
        self.fail(&BackplaneError::unavailable(error::SOON, "the log is lost again and again"));
    }

    /// The answers, one each, then the epoch, then, if that was asked for, how many replicas have it all.
    async fn send(&self, link: &Link) -> Result<Vec<Value>, RedisError> {
        let mut pipe = redis::Pipeline::with_capacity(self.waiting.len() + 3);
        let mut count = self.waiting.len() + 1;
        for waiting in &self.waiting {
            pipe.add_command(command(link, waiting));
        }
        // An epoch never comes back: if it is the same behind the entries as when the connection was made, they stand in it.
        pipe.cmd("XINFO").arg("GROUPS").arg(link.log());
        if let Some(Replicas { count: replicas, within }) = &link.center.config.replicas {
            pipe.cmd("WAIT").arg(*replicas).arg(u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1));
            count += 1;
        }
        if link.center.trimming_is_due() {
            pipe.add_command(link.trim());
            count += 1;
        }
        link.ask_many(&pipe, count).await
    }

    /// Answers all whose outcome is known; what was certainly not appended stays.
    async fn sort(&mut self, answers: Vec<Value>, slot: &Slot, link: &Arc<Link>) {
        let mut answers = answers.into_iter();
        let outcomes: Vec<_> = answers.by_ref().take(self.waiting.len()).map(outcome).collect();
        let epoch = answers.next().and_then(|groups| reply::epoch_of_groups(&groups));
        let durable = durable(link.center.config.replicas, answers.next().as_ref());
        let same = epoch.as_ref() == Some(&link.epoch) && link.center.witness.is_in(&link.epoch);
        let mut certain = Vec::new();
        let mut uncertain = Vec::new();
        let mut ended = !same;
        for (waiting, outcome) in std::mem::take(&mut self.waiting).into_iter().zip(outcomes) {
            match outcome {
                Outcome::Stands(position) if same => certain.push((waiting, position, Duplicate::No)),
                Outcome::StandsIn(of, position, duplicate) if same && of == link.epoch => {
                    certain.push((waiting, position, duplicate));
                }
                Outcome::Stands(position) => uncertain.push((waiting, position, Duplicate::No)),
                Outcome::StandsIn(_, position, duplicate) => uncertain.push((waiting, position, duplicate)),
                Outcome::NoLog => self.waiting.push(waiting),
                Outcome::Failed(error) if error::lacks_script(&error) => {
                    ended = true;
                    self.waiting.push(waiting);
                }
                Outcome::Failed(error) => {
                    ended |= error::ends_connection(&error);
                    waiting.settle(Err(error::translate(error)));
                }
            }
        }
        ended |= !self.waiting.is_empty();
        acknowledge(link, certain, &durable);
        if ended {
            slot.discard(link).await;
        }
        if !uncertain.is_empty() {
            resolve(slot, uncertain, &durable).await;
        }
    }

    fn fail(self, error: &BackplaneError) {
        self.waiting.into_iter().for_each(|waiting| waiting.settle(Err(again(error))));
    }
}

fn command(link: &Link, Waiting { entry, .. }: &Waiting) -> Cmd {
    let entries = link.center.config.retention.entries.max(1);
    let Some(key) = &entry.key else {
        let mut command = Cmd::with_capacity(9, entry.payload.len() + link.log().len() + 64);
        command.arg("XADD").arg(link.log()).arg("NOMKSTREAM").arg("MAXLEN").arg("~").arg(entries).arg("*");
        command.arg(reply::PAYLOAD).arg(&entry.payload[..]);
        return command;
    };
    let known = link.center.keys.idempotency(key);
    let mut command = link.call(Script::Append, &[link.log(), &known]);
    command.arg(&entry.payload[..]).arg(&**key).arg(key_window()).arg(entries);
    command
}

fn outcome(answer: Value) -> Outcome {
    match answer {
        Value::ServerError(error) => Outcome::Failed(error.into()),
        Value::Nil => Outcome::NoLog,
        Value::Array(facts) => {
            keyed(&facts).unwrap_or_else(|| Outcome::Failed(unexpected("no outcome of an append")))
        }
        id => match reply::position(&id) {
            Some(position) => Outcome::Stands(position),
            None => Outcome::Failed(unexpected("no id of an entry")),
        },
    }
}

fn keyed(facts: &[Value]) -> Option<Outcome> {
    let [epoch, id, duplicate] = facts else { return None };
    let duplicate = if reply::number(duplicate)? == 0 { Duplicate::No } else { Duplicate::Yes };
    Some(Outcome::StandsIn(reply::epoch(epoch)?, reply::position(id)?, duplicate))
}

/// Whether as many replicas have it as were asked for; else what to say.
fn durable(replicas: Option<Replicas>, answer: Option<&Value>) -> Result<(), BackplaneError> {
    let Some(Replicas { count, .. }) = replicas else { return Ok(()) };
    let have = answer.and_then(reply::number).unwrap_or(0);
    if have >= u64::from(count) {
        return Ok(());
    }
    Err(BackplaneError::unavailable(error::SOON, format!("{have} of {count} replicas have it")))
}

fn acknowledge(
    link: &Link,
    certain: Vec<(Waiting, Position, Duplicate)>,
    durable: &Result<(), BackplaneError>,
) {
    let last = certain.iter().max_by_key(|(_, position, _)| *position);
    if let Some((waiting, position, duplicate)) = last {
        // A second append under one key may have brought another payload.
        let payload = (*duplicate == Duplicate::No).then(|| waiting.entry.payload.clone());
        link.saw(*position, payload);
    }
    for (waiting, position, duplicate) in certain {
        let cursor = Cursor::new(link.epoch.clone(), position);
        let appended = Appended { cursor, duplicate: duplicate == Duplicate::Yes };
        waiting.settle(durable.as_ref().map(|()| appended).map_err(again));
    }
}

/// Finds out whether entries stand in the log that there is now. They were appended, but it is not known to which one.
async fn resolve(
    slot: &Slot,
    uncertain: Vec<(Waiting, Position, Duplicate)>,
    durable: &Result<(), BackplaneError>,
) {
    let found = match slot.link().await {
        Ok(link) => find(&link, &uncertain).await.map(|found| (link, found)).map_err(error::translate),
        Err(error) => Err(error),
    };
    let (link, found) = match found {
        Ok(found) => found,
        Err(error) => {
            return uncertain.into_iter().for_each(|(waiting, ..)| waiting.settle(Err(again(&error))));
        }
    };
    let (here, lost): (Vec<_>, Vec<_>) =
        uncertain.into_iter().zip(found).partition(|(_, found)| *found == Found::Yes);
    acknowledge(&link, here.into_iter().map(|(append, _)| append).collect(), durable);
    for ((waiting, ..), _) in lost {
        waiting.settle(Err(BackplaneError::unavailable(error::SOON, "the log was lost with the entry")));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Yes,
    No,
}

async fn find(link: &Link, appends: &[(Waiting, Position, Duplicate)]) -> Result<Vec<Found>, RedisError> {
    let mut pipe = redis::pipe();
    pipe.cmd("XINFO").arg("GROUPS").arg(link.log());
    for (_, position, _) in appends {
        let id = id::of(*position);
        pipe.cmd("XRANGE").arg(link.log()).arg(&id).arg(&id);
    }
    let mut answers = link.ask_atomically(pipe).await?.into_iter();
    let epoch = answers.next().and_then(|groups| reply::epoch_of_groups(&groups));
    if epoch.as_ref() != Some(&link.epoch) {
        return Ok(vec![Found::No; appends.len()]);
    }
    let found = answers.zip(appends).map(|(answer, (waiting, _, duplicate))| {
        let entry = reply::entries(reply::checked(answer)?)?.pop();
        let same = entry
            .and_then(|entry| entry.payload)
            .is_some_and(|payload| *duplicate == Duplicate::Yes || payload == waiting.entry.payload);
        Ok(if same { Found::Yes } else { Found::No })
    });
    found.collect()
}

/// The same error for another one who waits. Its source is only there for logs, so its text will do.
fn again(error: &BackplaneError) -> BackplaneError {
    match error {
        BackplaneError::Unavailable { retry_after, source } => {
            BackplaneError::unavailable(*retry_after, source.to_string())
        }
        BackplaneError::Refused { reason, .. } => BackplaneError::refused(reason.clone()),
        error => BackplaneError::unavailable(error::SOON, error.to_string()),
    }
}
