//! Following the log.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use redis::{RedisError, Value};
use sse_core::{BackplaneError, Batch, Cursor, Entry, Position, Tail};

use crate::{
    connection::{Link, connector::Purpose},
    entry_id, error,
    log_info::Look,
    read::Chunk,
    reply,
    scripts::Script,
    shared::Center,
};

/// A tail, on a connection of its own.
pub(crate) struct RedisTail {
    link: Arc<Link>,
    after: Cursor,
    progress: Progress,
    /// The question that is under way. A wait that is dropped leaves it, and the next one takes it up: on the server it goes on anyway.
    question: Option<BoxFuture<'static, Result<Chunk, RedisError>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There may be entries behind the cursor.
    Behind,
    /// There are none yet.
    CaughtUp,
}

/// The server answers at the latest after this, with nothing if there is nothing.
const PULSE: Duration = Duration::from_millis(PULSE_MS);
const PULSE_MS: u64 = 750;

impl RedisTail {
    /// Begins behind a cursor.
    pub(crate) async fn new(center: &Arc<Center>, after: &Cursor) -> Result<Self, BackplaneError> {
        let patience = PULSE + center.config.response_timeout;
        let link = Arc::new(center.connect_for(patience, Purpose::Questions).await?);
        let mut tail = Self { link, after: after.clone(), progress: Progress::Behind, question: None };
        let chunk = Chunk::fetch(&tail.link, after.position, 1).await.map_err(error::translate)?;
        let Some(look) = chunk.look else { return Err(lost(&tail.link, after).await) };
        look.check(after)?;
        if !look.gave(after.position, chunk.stands) {
            // A node follows from where it was itself, so this stood there, and a failover lost it.
            return Err(lost(&tail.link, after).await);
        }
        if chunk.at_head && chunk.entries.is_empty() {
            tail.progress = Progress::CaughtUp;
        }
        Ok(tail)
    }

    fn ask(&self) -> BoxFuture<'static, Result<Chunk, RedisError>> {
        let (link, after) = (Arc::clone(&self.link), self.after.position);
        match self.progress {
            Progress::Behind => {
                Box::pin(async move { Chunk::fetch(&link, after, link.center.pace.entries()).await })
            }
            Progress::CaughtUp => Box::pin(async move { wait(&link, after).await }),
        }
    }

    async fn take(&mut self, chunk: Chunk) -> Result<Batch, BackplaneError> {
        let Some(look) = chunk.look else { return Err(lost(&self.link, &self.after).await) };
        match look.check(&self.after) {
            Ok(()) if look.gave(self.after.position, chunk.stands) => {}
            // It stood there when this tail came to it, and was not trimmed.
            Ok(()) | Err(BackplaneError::Future { .. }) => return Err(lost(&self.link, &self.after).await),
            Err(error) => return Err(error),
        }
        if let Some(last) = chunk.entries.last() {
            self.after.position = last.position;
        }
        self.progress = if chunk.at_head { Progress::CaughtUp } else { Progress::Behind };
        let entries: Vec<Entry> = chunk.entries.into_iter().filter_map(Option::from).collect();
        Ok(Batch { entries, at_head: chunk.at_head })
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
            let chunk = self.question.insert(question).await;
            self.question = None;
            let batch = self.take(chunk.map_err(error::translate)?).await?;
            // Behind the last entry there was none when this was asked: there may be one any moment.
            if !batch.entries.is_empty() || caught_up == Progress::CaughtUp || !batch.at_head {
                return Ok(batch);
            }
        }
    }
}

/// The cursor, at which a tail was, is none of this log any more.
async fn lost(link: &Link, after: &Cursor) -> BackplaneError {
    match link.declare().await {
        Ok(current) if current != after.epoch => BackplaneError::Epoch { current },
        Ok(_) => BackplaneError::unavailable(error::SOON, "the log went and came back"),
        Err(error) => error::translate(error),
    }
}

/// Waits for entries behind the last one.
async fn wait(link: &Link, after: Position) -> Result<Chunk, RedisError> {
    let most = link.center.pace.entries();
    let after = entry_id::of(after);
    let mut pipe = redis::pipe();
    let mut count = 3;
    pipe.cmd("XREAD").arg("COUNT").arg(most).arg("BLOCK").arg(PULSE_MS);
    pipe.arg("STREAMS").arg(link.log()).arg(&after);
    // Whether it is still that log, and whether what this tail saw last is still in it: asked afterwards, since an epoch never comes back.
    pipe.add_command(link.call_log(Script::Look)).arg(&after);
    pipe.cmd("ROLE");
    if link.center.trimming_is_due() {
        pipe.add_command(link.trim());
        count += 1;
    }
    let mut answers = link.ask_many(&pipe, count).await?.into_iter();
    let mut answer = || reply::checked(answers.next().unwrap_or_default());
    let (entries, facts, role) = (reply::read_entries(answer()?)?, answer()?, answer()?);
    if !reply::is_primary(&role) {
        return Err(io::Error::other(error::REPLICA).into());
    }
    let stands = matches!(&facts, Value::Array(facts) if facts.last().and_then(reply::number) == Some(1));
    let look = Look::read(facts)?;
    link.center.pace.learn(&entries);
    if let Some(look) = &look {
        link.saw_entries(look, &entries);
    }
    let at_head = entries.len() < most;
    Ok(Chunk { look, stands: stands.into(), entries, at_head })
}
