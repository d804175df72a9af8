//! A backplane that fails on command.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    future::pending,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use sse_core::backplane::{
    Appended, Backplane, BackplaneError, Batch, Bounds, Cursor, Entry, Lease, MemoryBackplane,
    NewEntry, Page, Position, ReadLimit, Signals, Tail,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Interval at which a held tail reports that it is alive.
const PULSE: Duration = Duration::from_secs(1);

/// One node's connection to a [`MemoryBackplane`]; the connection fails on command. With it, a test
/// shows how an app or a manager reacts, in paused time as well.
///
/// Clones share the connection. Other nodes can use the same memory, each with its own connection
/// or with the memory itself.
#[derive(Clone)]
pub struct ScriptedBackplane {
    memory: MemoryBackplane,
    shared: Arc<CallScript>,
}

/// Calls that a [`ScriptedBackplane`] rejects while everything else works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Appends to the log.
    Appends,
    /// Signals to other nodes.
    Signals,
    /// Listening to signals.
    Listening,
}

/// The error of a rejected call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptedError {
    /// [`BackplaneError::Blocked`].
    Blocked,
    /// [`BackplaneError::Rejected`].
    Refused,
    /// [`BackplaneError::Unavailable`], before anything was done.
    Unavailable,
}

impl From<ScriptedError> for BackplaneError {
    fn from(rejection: ScriptedError) -> Self {
        match rejection {
            ScriptedError::Blocked => Self::blocked("blocked by script"),
            ScriptedError::Refused => Self::rejected("refused by script"),
            ScriptedError::Unavailable => unavailable(),
        }
    }
}

struct CallScript {
    away: watch::Sender<bool>,
    /// Rejections, indexed by [`Calls`].
    rejections: watch::Sender<[Option<ScriptedError>; 3]>,
    /// Number of appends that were rejected.
    rejected: AtomicU32,
    /// Number of next appends whose answers are lost, although they take effect.
    lost_answers: AtomicU32,
    /// Number of next appends that fail before they take effect.
    failures: AtomicU32,
    /// Number of next signals that are lost.
    lost_signals: AtomicU32,
    /// Durations of the next calls, in turn.
    delays: Mutex<VecDeque<Duration>>,
    /// Number of cuts, each of which breaks tails and listeners.
    cuts: watch::Sender<u64>,
    /// Ranges of the log that cannot be read.
    broken: Mutex<Vec<(Range<Position>, ReadFault)>>,
    tails_held: watch::Sender<bool>,
    read_latency: Mutex<Duration>,
    /// Maximum number of entries in a page.
    page_entries: AtomicUsize,
    reads: AtomicU32,
    held: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
}

/// The fault of every read in a range of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// The backplane reports the entries as damaged, up to the end of the range. A tail that
    /// reaches them ends with the same error.
    Damaged,
    /// The backplane rejects the read.
    Refused,
    /// The backplane fails, as if it could not be reached.
    Unavailable,
    /// The backplane does not answer.
    Silent,
    /// The backplane returns nothing, and reports that there is more.
    Empty,
    /// The backplane returns nothing, and reports that there is no more.
    EmptyAtHead,
}

impl ScriptedBackplane {
    /// Creates a connection to a memory, without any fault yet.
    #[must_use]
    pub fn new(memory: MemoryBackplane) -> Self {
        let shared = CallScript {
            away: watch::Sender::new(false),
            rejections: watch::Sender::new([None; 3]),
            rejected: AtomicU32::new(0),
            lost_answers: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            lost_signals: AtomicU32::new(0),
            delays: Mutex::default(),
            cuts: watch::Sender::new(0),
            broken: Mutex::default(),
            tails_held: watch::Sender::new(false),
            read_latency: Mutex::default(),
            page_entries: AtomicUsize::new(usize::MAX),
            reads: AtomicU32::new(0),
            held: Mutex::default(),
        };
        Self {
            memory,
            shared: Arc::new(shared),
        }
    }

    /// Makes the backplane unavailable, or available again. While it is unavailable, every call
    /// fails with [`BackplaneError::Unavailable`], and tails and listeners break.
    pub fn set_away(&self, away: bool) {
        self.shared.away.send_replace(away);
    }

    /// Rejects these calls from now on; `None` accepts them again. Everything else works. With
    /// [`Calls::Listening`], existing listeners end as well.
    pub fn reject(&self, calls: Calls, rejection: Option<ScriptedError>) {
        self.shared
            .rejections
            .send_modify(|rejections| rejections[calls as usize] = rejection);
    }

    /// Returns the number of appends that were rejected.
    #[must_use]
    pub fn rejected_appends(&self) -> u32 {
        self.shared.rejected.load(Ordering::SeqCst)
    }

    /// Breaks existing tails and listeners; new ones work.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Loses the answers of the next appends: they take effect, but fail with
    /// [`BackplaneError::Unavailable`]. The number replaces that of an earlier call.
    pub fn lose_answers(&self, appends: u32) {
        self.shared.lost_answers.store(appends, Ordering::SeqCst);
    }

    /// Fails the next appends with [`BackplaneError::Unavailable`] before they take effect. The
    /// number replaces that of an earlier call.
    pub fn fail_appends(&self, appends: u32) {
        self.shared.failures.store(appends, Ordering::SeqCst);
    }

    /// Loses the next signals of this node, without an error. The number replaces that of an
    /// earlier call.
    pub fn lose_signals(&self, signals: u32) {
        self.shared.lost_signals.store(signals, Ordering::SeqCst);
    }

    /// Delays the next calls, one for each duration. [`Tail::next`] counts as a call.
    pub fn delay(&self, delays: impl IntoIterator<Item = Duration>) {
        lock(&self.shared.delays).extend(delays);
    }

    /// Drops the delays that no call has used yet.
    pub fn end_delays(&self) {
        lock(&self.shared.delays).clear();
    }

    /// Makes the entries after the positions of a range unreadable: for `a..b`, the entries after
    /// `a` up to and including the one at `b`.
    pub fn break_reads(&self, places: Range<Position>, fault: ReadFault) {
        lock(&self.shared.broken).push((places, fault));
    }

    /// Makes everything readable again.
    pub fn mend_reads(&self) {
        lock(&self.shared.broken).clear();
    }

    /// Holds tails, or releases them. A held tail stays alive and delivers nothing, as on a node
    /// that lags.
    pub fn hold_tails(&self, held: bool) {
        self.shared.tails_held.send_replace(held);
    }

    /// Sets the duration of each read.
    pub fn set_read_latency(&self, latency: Duration) {
        *lock(&self.shared.read_latency) = latency;
    }

    /// Sets the maximum number of entries that one read returns.
    pub fn limit_pages(&self, entries: usize) {
        self.shared.page_entries.store(entries, Ordering::SeqCst);
    }

    /// Returns the number of reads so far, including failed ones.
    #[must_use]
    pub fn reads(&self) -> u32 {
        self.shared.reads.load(Ordering::SeqCst)
    }

    fn fault_after(&self, position: Position) -> Option<(Range<Position>, ReadFault)> {
        lock(&self.shared.broken)
            .iter()
            .find(|(places, _)| places.contains(&position))
            .cloned()
    }

    /// Truncates the entries before the first broken one, and returns the broken range.
    fn readable(
        &self,
        entries: &mut Vec<Entry>,
        is_broken: impl Fn(ReadFault) -> bool,
    ) -> Option<Range<Position>> {
        let broken = lock(&self.shared.broken);
        let mut cut = None;
        for (places, _) in broken.iter().filter(|(_, fault)| is_broken(*fault)) {
            let holds =
                |entry: &Entry| entry.position > places.start && entry.position <= places.end;
            if let Some(at) = entries.iter().position(holds) {
                entries.truncate(at);
                cut = Some(places.clone());
            }
        }
        cut
    }

    /// Keeps a value alive as long as this backplane.
    #[must_use]
    pub fn holding(self, thing: Arc<dyn Any + Send + Sync>) -> Self {
        lock(&self.shared.held).push(thing);
        self
    }

    /// Resolves when listening is rejected.
    async fn refuses_listening(&self) -> BackplaneError {
        let mut rejections = self.shared.rejections.subscribe();
        loop {
            if let Err(error) = self.allows(Calls::Listening) {
                return error;
            }
            // The sender lives as long as the connection.
            rejections.changed().await.ok();
        }
    }

    async fn call(&self) -> Result<(), BackplaneError> {
        let delay = lock(&self.shared.delays).pop_front();
        if let Some(delay) = delay {
            sleep(delay).await;
        }
        if *self.shared.away.borrow() {
            Err(unavailable())
        } else {
            Ok(())
        }
    }

    fn allows(&self, calls: Calls) -> Result<(), BackplaneError> {
        self.shared.rejections.borrow()[calls as usize]
            .map_or(Ok(()), |rejection| Err(rejection.into()))
    }

    fn breaks(&self) -> Breaks {
        Breaks {
            away: self.shared.away.subscribe(),
            cuts: self.shared.cuts.subscribe(),
        }
    }
}

impl fmt::Debug for ScriptedBackplane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedBackplane")
            .field("away", &*self.shared.away.borrow())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unavailable() -> BackplaneError {
    BackplaneError::unavailable(Duration::from_millis(100), "by script")
}

fn take_one(counter: &AtomicU32) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
            count.checked_sub(1)
        })
        .is_ok()
}

#[async_trait]
impl Backplane for ScriptedBackplane {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn bounds(&self) -> Result<Bounds, BackplaneError> {
        self.call().await?;
        self.memory.bounds().await
    }

    async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        self.call().await?;
        self.allows(Calls::Appends).inspect_err(|_| {
            self.shared.rejected.fetch_add(1, Ordering::SeqCst);
        })?;
        if take_one(&self.shared.failures) {
            return Err(unavailable());
        }
        let appended = self.memory.append(entry).await;
        if take_one(&self.shared.lost_answers) {
            Err(unavailable())
        } else {
            appended
        }
    }

    async fn read(&self, after: &Cursor, limit: ReadLimit) -> Result<Page, BackplaneError> {
        self.shared.reads.fetch_add(1, Ordering::SeqCst);
        self.call().await?;
        let latency = *lock(&self.shared.read_latency);
        if !latency.is_zero() {
            sleep(latency).await;
        }
        match self.fault_after(after.position) {
            None => {}
            Some((places, ReadFault::Damaged)) => {
                return Err(BackplaneError::damaged(places.end, "by script"));
            }
            Some((_, ReadFault::Refused)) => return Err(BackplaneError::rejected("by script")),
            Some((_, ReadFault::Unavailable)) => return Err(unavailable()),
            Some((_, ReadFault::Silent)) => pending().await,
            Some((_, ReadFault::Empty)) => return Ok(Page::default()),
            Some((_, ReadFault::EmptyAtHead)) => {
                return Ok(Page {
                    at_head: true,
                    ..Page::default()
                });
            }
        }
        let entries = limit
            .entries
            .min(self.shared.page_entries.load(Ordering::SeqCst));
        let mut page = self
            .memory
            .read(after, ReadLimit { entries, ..limit })
            .await?;
        if self.readable(&mut page.entries, |_| true).is_some() {
            page.at_head = false;
        }
        Ok(page)
    }

    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError> {
        self.call().await?;
        self.memory.rewind(entries).await
    }

    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError> {
        self.call().await?;
        let tail = self.memory.tail(after).await?;
        let damaged = match self.fault_after(after.position) {
            Some((places, ReadFault::Damaged)) => Some(places.end),
            _ => None,
        };
        Ok(Box::new(Breakable {
            inner: tail,
            way: self.clone(),
            breaks: self.breaks(),
            damaged,
            waiting: None,
        }))
    }

    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        self.call().await?;
        self.allows(Calls::Signals)?;
        if take_one(&self.shared.lost_signals) {
            return Ok(());
        }
        self.memory.signal(payload).await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError> {
        self.call().await?;
        self.allows(Calls::Listening)?;
        let signals = self.memory.signals().await?;
        Ok(Box::new(Breakable {
            inner: signals,
            way: self.clone(),
            breaks: self.breaks(),
            damaged: None,
            waiting: None,
        }))
    }

    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError> {
        self.call().await?;
        self.memory.hold_lease(lease, term).await
    }

    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
        self.call().await?;
        self.memory.drop_lease(node).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError> {
        self.call().await?;
        self.memory.leases().await
    }
}

/// A tail or listener that ends when the connection is cut.
struct Breakable<T: ?Sized> {
    way: ScriptedBackplane,
    breaks: Breaks,
    /// End of the damaged range that comes next.
    damaged: Option<Position>,
    /// Entries that are held back.
    waiting: Option<Batch>,
    inner: Box<T>,
}

struct Breaks {
    away: watch::Receiver<bool>,
    cuts: watch::Receiver<u64>,
}

impl Breaks {
    /// Resolves when the backplane is unavailable, or was cut since the tail was opened.
    async fn broken(&mut self) {
        let away = async { self.away.wait_for(|away| *away).await.is_err() };
        let cut = async { self.cuts.changed().await.is_err() };
        // The sender lives as long as the connection, which the caller holds.
        tokio::select! { _ = away => {}, _ = cut => {} }
    }
}

#[async_trait]
impl Tail for Breakable<dyn Tail> {
    async fn next(&mut self) -> Result<Batch, BackplaneError> {
        let delay = lock(&self.way.shared.delays).pop_front();
        if let Some(delay) = delay {
            sleep(delay).await;
        }
        let mut held = self.way.shared.tails_held.subscribe();
        if self.waiting.is_none() && !*held.borrow() {
            if let Some(to) = self.damaged {
                return Err(BackplaneError::damaged(to, "by script"));
            }
            let batch = tokio::select! {
                biased;
                () = self.breaks.broken() => Err(unavailable()),
                batch = self.inner.next() => batch,
            }?;
            self.waiting = Some(batch);
        }
        if timeout(PULSE, held.wait_for(|held| !held)).await.is_err() {
            return Ok(Batch::default());
        }
        let mut batch = self.waiting.take().unwrap_or_default();
        if let Some(places) = self
            .way
            .readable(&mut batch.entries, |fault| fault == ReadFault::Damaged)
        {
            batch.at_head = false;
            self.damaged = Some(places.end);
        }
        Ok(batch)
    }
}

#[async_trait]
impl Signals for Breakable<dyn Signals> {
    async fn next(&mut self) -> Result<Bytes, BackplaneError> {
        tokio::select! {
            biased;
            () = self.breaks.broken() => Err(unavailable()),
            error = self.way.refuses_listening() => Err(error),
            signal = self.inner.next() => signal,
        }
    }
}
