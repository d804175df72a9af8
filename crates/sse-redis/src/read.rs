//! Reading the log.

use redis::{RedisError, Value};
use sse_core::{BackplaneError, Cursor, Entry, Page, Position, ReadLimit};

use crate::{
    connection::{Link, reconnecting::Slot},
    entry_id, error,
    log_info::{Look, Stands},
    reply::{self, RawEntry, unexpected},
    scripts::Script,
};

/// Entries as one question brings them, and what the log held at that moment.
pub(crate) struct Chunk {
    /// None if there is no log.
    pub(crate) look: Option<Look>,
    /// Whether there is an entry where they follow.
    pub(crate) stands: Stands,
    pub(crate) entries: Vec<RawEntry>,
    /// Whether there was nothing behind them.
    pub(crate) at_head: bool,
}

impl Chunk {
    /// The entries behind a position.
    pub(crate) async fn fetch(link: &Link, after: Position, entries: usize) -> Result<Self, RedisError> {
        let mut pipe = redis::pipe();
        pipe.add_command(link.call_log(Script::Look));
        // With the entry at the position itself, which shows that it is a position of this log, and with one that shows that there are more.
        pipe.cmd("XRANGE").arg(link.log()).arg(entry_id::of(after)).arg("+").arg("COUNT").arg(entries + 2);
        let answers = link.ask_atomically(pipe).await?;
        let [look, found] = <[Value; 2]>::try_from(answers).map_err(|_| unexpected("no entries"))?;
        let look = Look::read(look)?;
        let mut found = reply::entries(reply::checked(found)?)?;
        let stands = found.first().is_some_and(|entry| entry.position == after);
        if stands {
            found.remove(0);
        }
        let at_head = found.len() <= entries;
        found.truncate(entries);
        link.center.pace.learn(&found);
        if let Some(look) = &look {
            link.saw_entries(look, &found);
        }
        Ok(Self { look, stands: stands.into(), entries: found, at_head })
    }
}

/// The oldest entries behind a cursor.
pub(crate) async fn read(
    slot: &Slot<Link>,
    after: &Cursor,
    limit: ReadLimit,
) -> Result<Page, BackplaneError> {
    let mut reader = Reader { after: after.clone(), limit, left: limit.bytes, page: Page::default() };
    loop {
        let most = limit.entries.max(1) - reader.page.entries.len();
        let position = reader.after.position;
        let chunk = slot.ask(|link| async move {
            let most = most.min(link.center.pace.entries());
            Chunk::fetch(&link, position, most).await
        });
        match reader.take(chunk.await?) {
            Ok(Some(page)) => return Ok(page),
            Ok(None) => {}
            // What was read before that is still right.
            Err(_) if !reader.page.entries.is_empty() => return Ok(reader.page),
            Err(Lost::Log) => return Err(no_such_log(slot, after).await),
            Err(Lost::Place(error)) => return Err(error),
        }
    }
}

/// Puts a page together.
struct Reader {
    after: Cursor,
    limit: ReadLimit,
    /// Bytes that may still come.
    left: usize,
    page: Page,
}

enum Lost {
    /// There is none.
    Log,
    /// It cannot be read from there.
    Place(BackplaneError),
}

impl Reader {
    /// The page, once it is complete.
    fn take(&mut self, chunk: Chunk) -> Result<Option<Page>, Lost> {
        let look = chunk.look.ok_or(Lost::Log)?;
        look.check(&self.after).map_err(Lost::Place)?;
        for entry in chunk.entries {
            self.after.position = entry.position;
            let Some(entry) = Option::<Entry>::from(entry) else { continue };
            if entry.payload.len() > self.left && !self.page.entries.is_empty() {
                return Ok(Some(std::mem::take(&mut self.page)));
            }
            self.left = self.left.saturating_sub(entry.payload.len());
            self.page.entries.push(entry);
        }
        self.page.at_head = chunk.at_head;
        let full = chunk.at_head || self.page.entries.len() >= self.limit.entries;
        Ok(full.then(|| std::mem::take(&mut self.page)))
    }
}

/// There is no log, so a cursor is of another one than that which is made now.
async fn no_such_log(slot: &Slot<Link>, after: &Cursor) -> BackplaneError {
    match open(slot).await {
        Ok(look) if look.epoch != after.epoch => look.other_log(),
        Ok(_) => BackplaneError::unavailable(error::SOON, "the log went and came back"),
        Err(error) => error,
    }
}

/// What the log holds, after trimming; makes it if there is none.
pub(crate) async fn open(slot: &Slot<Link>) -> Result<Look, BackplaneError> {
    slot.ask(|link| async move {
        let mut pipe = redis::pipe();
        pipe.add_command(link.trim());
        let new = sse_core::Epoch::random();
        pipe.add_command(link.call_log(Script::Open)).arg(new.as_str());
        let answers = link.ask_many(&pipe, 2).await?;
        let [trimmed, look] = <[Value; 2]>::try_from(answers).map_err(|_| unexpected("no facts"))?;
        let look = Look::read(look)?.ok_or_else(|| unexpected("no log that was just made"))?;
        // Where nothing may be written the log can still be read.
        if let Err(error) = reply::checked(trimmed) {
            if error::lacks_script(&error) {
                return Err(error);
            }
            tracing::debug!(%error, "failed to trim the event log");
        }
        link.saw_log(&look);
        Ok(look)
    })
    .await
}

/// So many entries are gone through at once, which keeps the server from others for about as many microseconds.
const STEP: u64 = 1000;

/// A cursor that the latest entries follow.
pub(crate) async fn rewind(slot: &Slot<Link>, entries: u64) -> Result<Cursor, BackplaneError> {
    let look = open(slot).await?;
    if entries == 0 {
        return Ok(Cursor::new(look.epoch, look.head));
    }
    if entries >= look.length {
        return Ok(Cursor::new(look.epoch, look.trimmed));
    }
    let mut left = entries.saturating_add(1);
    let mut from = "+".to_owned();
    loop {
        let step = left.min(STEP);
        let end = from.as_str();
        let found = slot.ask(|link| async move {
            let mut command = link.call_log(Script::Rewind);
            link.ask(command.arg(end).arg(step)).await
        });
        let Some((count, last)) = step_back(&found.await?, &look) else {
            return Err(BackplaneError::unavailable(error::SOON, "the log was lost meanwhile"));
        };
        left -= count.min(left);
        match last {
            Some(last) if left == 0 => return Ok(Cursor::new(look.epoch, last)),
            Some(last) if count == step => from = format!("({}", entry_id::of(last)),
            // That was all of it.
            _ => return Ok(Cursor::new(look.epoch, open(slot).await?.trimmed)),
        }
    }
}

/// How many entries a step went back, and to which one. None if the log is not the one it was.
pub(crate) fn step_back(found: &Value, look: &Look) -> Option<(u64, Option<Position>)> {
    let Value::Array(facts) = found else { return None };
    let [epoch, count, last] = facts.as_slice() else { return None };
    (reply::epoch(epoch)? == look.epoch).then_some(())?;
    Some((reply::number(count)?, reply::position(last)))
}
