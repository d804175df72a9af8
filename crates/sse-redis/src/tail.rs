//! Follows the log.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use redis::{RedisError, Value};
use sse_core::backplane::{BackplaneError, Batch, Cursor, Entry, Position, Tail};

use crate::{
    connection::{RedisConnection, connector::Purpose},
    entry_id, error,
    log_info::LogInfo,
    read::FetchedEntries,
    reply,
    scripts::Script,
    shared::Shared,
};

/// A tail, on a connection of its own.
pub(crate) struct RedisTail {
    connection: Arc<RedisConnection>,
    after: Cursor,
    progress: TailProgress,
    /// The request in flight. If a wait is dropped, its request stays here and the next wait
    /// continues it, because the server executes it in any case.
    question: Option<BoxFuture<'static, Result<FetchedEntries, RedisError>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TailProgress {
    /// Entries may follow the cursor.
    CatchingUp,
    /// No entries follow the cursor yet.
    CaughtUp,
}

/// Maximum time until the server replies, with an empty reply if no entries arrived.
const PULSE: Duration = Duration::from_millis(PULSE_MS);
const PULSE_MS: u64 = 750;

impl RedisTail {
    /// Starts after a cursor.
    pub(crate) async fn new(shared: &Arc<Shared>, after: &Cursor) -> Result<Self, BackplaneError> {
        let response_timeout = PULSE + shared.config.response_timeout;
        let connection = Arc::new(
            shared
                .connect_for(response_timeout, Purpose::Questions)
                .await?,
        );
        let mut tail = Self {
            connection,
            after: after.clone(),
            progress: TailProgress::CatchingUp,
            question: None,
        };
        let fetched = FetchedEntries::fetch(&tail.connection, after.position, 1)
            .await
            .map_err(error::translate)?;
        let Some(info) = fetched.info else {
            return Err(lost(&tail.connection, after).await);
        };
        info.check(after)?;
        if !info.gave(after.position, fetched.exists) {
            // A node follows the log from a position that it reached itself, so the entry existed,
            // and a failover lost it.
            return Err(lost(&tail.connection, after).await);
        }
        if fetched.at_head && fetched.entries.is_empty() {
            tail.progress = TailProgress::CaughtUp;
        }
        Ok(tail)
    }

    fn ask(&self) -> BoxFuture<'static, Result<FetchedEntries, RedisError>> {
        let (connection, after) = (Arc::clone(&self.connection), self.after.position);
        match self.progress {
            TailProgress::CatchingUp => Box::pin(async move {
                FetchedEntries::fetch(&connection, after, connection.shared.page_size.entries())
                    .await
            }),
            TailProgress::CaughtUp => Box::pin(async move { wait(&connection, after).await }),
        }
    }

    async fn take(&mut self, fetched: FetchedEntries) -> Result<Batch, BackplaneError> {
        let Some(info) = fetched.info else {
            return Err(lost(&self.connection, &self.after).await);
        };
        match info.check(&self.after) {
            Ok(()) if info.gave(self.after.position, fetched.exists) => {}
            // The entry existed when this tail reached it, and was not trimmed.
            Ok(()) | Err(BackplaneError::Future { .. }) => {
                return Err(lost(&self.connection, &self.after).await);
            }
            Err(error) => return Err(error),
        }
        if let Some(last) = fetched.entries.last() {
            self.after.position = last.position;
        }
        self.progress = if fetched.at_head {
            TailProgress::CaughtUp
        } else {
            TailProgress::CatchingUp
        };
        let entries: Vec<Entry> = fetched
            .entries
            .into_iter()
            .filter_map(Option::from)
            .collect();
        Ok(Batch {
            entries,
            at_head: fetched.at_head,
        })
    }
}

#[async_trait]
impl Tail for RedisTail {
    async fn next(&mut self) -> Result<Batch, BackplaneError> {
        loop {
            let question = match self.question.take() {
                Some(question) => question,
                None => self.ask(),
            };
            let caught_up = self.progress;
            let fetched = self.question.insert(question).await;
            self.question = None;
            let batch = self.take(fetched.map_err(error::translate)?).await?;
            // An empty page means only that the tail has caught up. The next request waits for
            // entries.
            if !batch.entries.is_empty() || caught_up == TailProgress::CaughtUp || !batch.at_head {
                return Ok(batch);
            }
        }
    }
}

/// Returns the error for a cursor that this tail reached, and that no longer belongs to the log.
async fn lost(connection: &RedisConnection, after: &Cursor) -> BackplaneError {
    match connection.declare().await {
        Ok(current) if current != after.epoch => BackplaneError::Epoch { current },
        Ok(_) => BackplaneError::unavailable(error::SOON, "the log was lost and recovered"),
        Err(error) => error::translate(error),
    }
}

/// Waits for entries after the last one.
async fn wait(connection: &RedisConnection, after: Position) -> Result<FetchedEntries, RedisError> {
    let most = connection.shared.page_size.entries();
    let after = entry_id::of(after);
    let mut pipe = redis::pipe();
    let mut count = 3;
    pipe.cmd("XREAD")
        .arg("COUNT")
        .arg(most)
        .arg("BLOCK")
        .arg(PULSE_MS);
    pipe.arg("STREAMS").arg(connection.log()).arg(&after);
    // Checks that the log is the same, and that the entry which this tail saw last is still in it.
    // The check comes last, since an epoch never recurs.
    pipe.add_command(connection.call_log(Script::Info))
        .arg(&after);
    pipe.cmd("ROLE");
    if connection.shared.trimming_is_due() {
        pipe.add_command(connection.trim());
        count += 1;
    }
    let mut answers = connection.ask_many(&pipe, count).await?.into_iter();
    let mut answer = || reply::checked(answers.next().unwrap_or_default());
    let (entries, facts, role) = (reply::read_entries(answer()?)?, answer()?, answer()?);
    if !reply::is_primary(&role) {
        return Err(io::Error::other(error::REPLICA).into());
    }
    let exists =
        matches!(&facts, Value::Array(facts) if facts.last().and_then(reply::number) == Some(1));
    let info = LogInfo::read(facts)?;
    connection.shared.page_size.learn(&entries);
    if let Some(info) = &info {
        connection.saw_entries(info, &entries);
    }
    let at_head = entries.len() < most;
    Ok(FetchedEntries {
        info,
        exists: exists.into(),
        entries,
        at_head,
    })
}
