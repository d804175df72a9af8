//! Reads the log.

use redis::{RedisError, Value};
use sse_core::backplane::{BackplaneError, Cursor, Entry, Page, Position, ReadLimit};

use crate::{
    connection::{RedisConnection, reconnecting::Reconnecting},
    entry_id, error,
    log_info::{EntryExists, LogInfo},
    reply::{self, RawEntry, unexpected},
    scripts::Script,
};

/// Entries from one request, and the extent of the log at that moment.
pub(crate) struct FetchedEntries {
    /// `None` if the log does not exist.
    pub(crate) info: Option<LogInfo>,
    /// The presence of an entry at the position after which the entries were fetched.
    pub(crate) exists: EntryExists,
    pub(crate) entries: Vec<RawEntry>,
    /// Set if no further entries follow.
    pub(crate) at_head: bool,
}

impl FetchedEntries {
    /// Fetches the entries after a position.
    pub(crate) async fn fetch(
        connection: &RedisConnection,
        after: Position,
        entries: usize,
    ) -> Result<Self, RedisError> {
        let mut pipe = redis::pipe();
        pipe.add_command(connection.call_log(Script::Info));
        // The range includes the entry at the position itself, which shows that the position
        // belongs to this log. It also includes an entry that shows that more entries follow.
        pipe.cmd("XRANGE")
            .arg(connection.log())
            .arg(entry_id::of(after))
            .arg("+")
            .arg("COUNT")
            .arg(entries + 2);
        let answers = connection.ask_atomically(pipe).await?;
        let [info, found] =
            <[Value; 2]>::try_from(answers).map_err(|_| unexpected("invalid list of entries"))?;
        let info = LogInfo::read(info)?;
        let mut found = reply::entries(reply::checked(found)?)?;
        let exists = found.first().is_some_and(|entry| entry.position == after);
        if exists {
            found.remove(0);
        }
        let at_head = found.len() <= entries;
        found.truncate(entries);
        connection.shared.page_size.learn(&found);
        if let Some(info) = &info {
            connection.saw_entries(info, &found);
        }
        Ok(Self {
            info,
            exists: exists.into(),
            entries: found,
            at_head,
        })
    }
}

/// Reads the oldest entries after a cursor.
pub(crate) async fn read(
    slot: &Reconnecting<RedisConnection>,
    after: &Cursor,
    limit: ReadLimit,
) -> Result<Page, BackplaneError> {
    let mut reader = PageReader {
        after: after.clone(),
        limit,
        left: limit.bytes,
        page: Page::default(),
    };
    loop {
        let most = limit.entries.max(1) - reader.page.entries.len();
        let position = reader.after.position;
        let fetched = slot.ask(|connection| async move {
            let most = most.min(connection.shared.page_size.entries());
            FetchedEntries::fetch(&connection, position, most).await
        });
        match reader.take(fetched.await?) {
            Ok(Some(page)) => return Ok(page),
            Ok(None) => {}
            // The entries that were read before are still valid.
            Err(_) if !reader.page.entries.is_empty() => return Ok(reader.page),
            Err(LostEntries::Log) => return Err(no_such_log(slot, after).await),
            Err(LostEntries::Place(error)) => return Err(error),
        }
    }
}

/// Assembles a page.
struct PageReader {
    after: Cursor,
    limit: ReadLimit,
    /// Number of bytes that the page can still take.
    left: usize,
    page: Page,
}

enum LostEntries {
    /// The log does not exist.
    Log,
    /// The log cannot be read from the position.
    Place(BackplaneError),
}

impl PageReader {
    /// Adds entries. Returns the page once it is complete.
    fn take(&mut self, fetched: FetchedEntries) -> Result<Option<Page>, LostEntries> {
        let info = fetched.info.ok_or(LostEntries::Log)?;
        info.check(&self.after).map_err(LostEntries::Place)?;
        for entry in fetched.entries {
            self.after.position = entry.position;
            let Some(entry) = Option::<Entry>::from(entry) else {
                continue;
            };
            if entry.payload.len() > self.left && !self.page.entries.is_empty() {
                return Ok(Some(std::mem::take(&mut self.page)));
            }
            self.left = self.left.saturating_sub(entry.payload.len());
            self.page.entries.push(entry);
        }
        self.page.at_head = fetched.at_head;
        let full = fetched.at_head || self.page.entries.len() >= self.limit.entries;
        Ok(full.then(|| std::mem::take(&mut self.page)))
    }
}

/// Returns the error for a missing log: the cursor is from another log than the one that is created
/// now.
async fn no_such_log(slot: &Reconnecting<RedisConnection>, after: &Cursor) -> BackplaneError {
    match open(slot).await {
        Ok(info) if info.epoch != after.epoch => info.other_log(),
        Ok(_) => BackplaneError::unavailable(error::SOON, "the log was lost and recovered"),
        Err(error) => error,
    }
}

/// Returns the extent of the log after trimming. Creates the log if it does not exist.
pub(crate) async fn open(slot: &Reconnecting<RedisConnection>) -> Result<LogInfo, BackplaneError> {
    slot.ask(|connection| async move {
        let mut pipe = redis::pipe();
        pipe.add_command(connection.trim());
        let new = sse_core::backplane::Epoch::random();
        pipe.add_command(connection.call_log(Script::Open))
            .arg(new.as_str());
        let answers = connection.ask_many(&pipe, 2).await?;
        let [trimmed, info] =
            <[Value; 2]>::try_from(answers).map_err(|_| unexpected("too few replies"))?;
        let info = LogInfo::read(info)?
            .ok_or_else(|| unexpected("the log was created and does not exist"))?;
        // The log can be read even if the server accepts no writes.
        if let Err(error) = reply::checked(trimmed) {
            if error::lacks_script(&error) {
                return Err(error);
            }
            tracing::debug!(%error, "failed to trim the event log");
        }
        connection.saw_log(&info);
        Ok(info)
    })
    .await
}

/// Maximum number of entries per step of a rewind. A step blocks the server for about as many
/// microseconds.
const STEP: u64 = 1000;

/// Returns the cursor after which the latest `entries` entries follow.
pub(crate) async fn rewind(
    slot: &Reconnecting<RedisConnection>,
    entries: u64,
) -> Result<Cursor, BackplaneError> {
    let info = open(slot).await?;
    if entries == 0 {
        return Ok(Cursor::new(info.epoch, info.head));
    }
    if entries >= info.length {
        return Ok(Cursor::new(info.epoch, info.trimmed));
    }
    let mut left = entries.saturating_add(1);
    let mut from = "+".to_owned();
    loop {
        let step = left.min(STEP);
        let end = from.as_str();
        let found = slot.ask(|connection| async move {
            let mut command = connection.call_log(Script::Rewind);
            connection.ask(command.arg(end).arg(step)).await
        });
        let Some((count, last)) = step_back(&found.await?, &info) else {
            return Err(BackplaneError::unavailable(
                error::SOON,
                "the log was lost during the call",
            ));
        };
        left -= count.min(left);
        match last {
            Some(last) if left == 0 => return Ok(Cursor::new(info.epoch, last)),
            Some(last) if count == step => from = format!("({}", entry_id::of(last)),
            // The steps reached the start of the log.
            _ => return Ok(Cursor::new(info.epoch, open(slot).await?.trimmed)),
        }
    }
}

/// Returns the number of entries that a step went back, and the position that it reached. Returns
/// `None` if the log is not the same any more.
pub(crate) fn step_back(found: &Value, info: &LogInfo) -> Option<(u64, Option<Position>)> {
    let Value::Array(facts) = found else {
        return None;
    };
    let [epoch, count, last] = facts.as_slice() else {
        return None;
    };
    (reply::epoch(epoch)? == info.epoch).then_some(())?;
    Some((reply::number(count)?, reply::position(last)))
}
