//! One thread and its loop.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token, net::TcpStream};
use sse_core::{
    dialect::Frame,
    throttle::{INTERVAL, Throttle},
};
use tracing::{debug, error, warn};

use crate::{
    adoption::Adoption,
    connection::{NextPoll, StreamConnection, Tools},
    deadlines::Deadlines,
    end::{self, ThreadEnd},
    key::SlabKey,
    mailbox::Mailbox,
    slab::Slab,
    socket::Socket,
    waker::Wakers,
};

/// Limits the log messages about a shortage, because every client that connects can cause one.
static FAILURES: Throttle = Throttle::new(INTERVAL);

/// The token of the mailbox.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// Maximum number of polls before the thread checks for events of the system.
const TURNS: usize = 256;

const EVENTS: usize = 1024;

/// Maximum capacity of an empty run queue that is kept.
const IDLE_RUN_QUEUE: usize = 256;

/// Size of the buffer for bytes that are read and discarded.
const BUFFER: usize = 4096;

/// One thread, which waits for its mailbox and its sockets, and polls its connections.
pub(crate) struct Worker<S = TcpStream> {
    poll: Poll,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) connections: Slab<StreamConnection<S>>,
    pub(crate) wakers: Wakers,
    /// The run queue. Each connection is in it at most once.
    pub(crate) run_queue: VecDeque<SlabKey>,
    deadlines: Deadlines,
    linger: Duration,
    /// Polls since the thread last checked for events of the system.
    pub(crate) turns: usize,
    frames: Vec<Frame>,
    buffer: Box<[u8]>,
}

/// The way in which a connection ends.
#[derive(Debug, Clone, Copy)]
enum Leave {
    Finished,
    Gone,
    Reset,
}

impl<S: Socket> Worker<S> {
    pub(crate) fn new(poll: Poll, mailbox: Arc<Mailbox>, linger: Duration) -> Self {
        Self {
            poll,
            wakers: Wakers::new(Arc::clone(&mailbox)),
            mailbox,
            connections: Slab::default(),
            run_queue: VecDeque::new(),
            deadlines: Deadlines::default(),
            linger,
            turns: 0,
            frames: Vec::new(),
            buffer: vec![0; BUFFER].into(),
        }
    }
}

impl Worker {
    /// Serves until no connection is left and none can arrive, or until the thread is ended.
    pub(crate) fn run(mut self) {
        // Expected panics are caught where they occur. This call catches all others, so that the
        // streams end and nothing hangs.
        let end = match catch_unwind(AssertUnwindSafe(|| self.serve())) {
            Ok(Ok(end)) => end,
            Ok(Err(error)) => {
                error!(%error, "failed to run a reactor thread; its streams end");
                ThreadEnd::Close
            }
            Err(_) => {
                error!("reactor thread panicked; its streams end");
                ThreadEnd::Close
            }
        };
        self.mailbox.end(end);
        let found = self.mailbox.collect(&mut Vec::new(), true);
        for adoption in found.adoptions {
            self.dismiss(adoption, end);
        }
        let leave = if end == ThreadEnd::Reset {
            Leave::Reset
        } else {
            Leave::Gone
        };
        for key in self.connections.keys() {
            self.remove(key, leave);
        }
    }

    fn serve(&mut self) -> io::Result<ThreadEnd> {
        let mut events = Events::with_capacity(EVENTS);
        let mut woken = Vec::new();
        loop {
            let found = self.mailbox.collect(&mut woken, !self.run_queue.is_empty());
            if let Some(end) = found.end {
                found
                    .adoptions
                    .into_iter()
                    .for_each(|adoption| self.dismiss(adoption, end));
                return Ok(end);
            }
            if found.retired && self.connections.is_empty() && found.adoptions.is_empty() {
                return Ok(ThreadEnd::Close);
            }
            found
                .adoptions
                .into_iter()
                .for_each(|adoption| self.adopt(adoption));
            self.line_up_all(&mut woken);
            self.give_turns();
            if found.nothing {
                self.give_back(&mut woken);
                self.listen(&mut events, self.wait())?;
            } else if self.turns >= TURNS {
                self.listen(&mut events, Some(Duration::ZERO))?;
            }
        }
    }

    fn adopt(&mut self, adoption: Adoption) {
        self.mailbox.counters.adopted.add(1);
        let mut head = None;
        let Self {
            connections,
            poll,
            wakers,
            ..
        } = self;
        let inserted = connections.try_insert(|key| {
            let (mut connection, begins_with) = StreamConnection::adopted(adoption);
            head = Some(begins_with);
            wakers.reach(key.place);
            match connection.register(poll.registry(), key.place) {
                Ok(()) => Ok(connection),
                Err(error) => Err((error, connection)),
            }
        });
        match (inserted, head) {
            (Ok(Some(key)), Some(head)) => {
                self.turns += 1;
                self.turn(key, |connection, place, tools| {
                    connection.begin(head, place, tools)
                });
            }
            (Err((error, connection)), _) => {
                if let Some(left_out) = FAILURES.admit("watch") {
                    warn!(%error, left_out, "failed to register the socket of a stream");
                }
                self.fail(connection);
            }
            // All 2³² slots are in use.
            (Ok(_), _) => self.mailbox.unload(),
        }
    }
}

impl<S: Socket> Worker<S> {
    /// Handles the events of the system. Waits for them as long as `wait` allows.
    fn listen(&mut self, events: &mut Events, wait: Option<Duration>) -> io::Result<()> {
        self.turns = 0;
        match self.poll.poll(events, wait) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in events.iter().filter(|event| event.token() != WAKE) {
            // The event is for the connection that uses the slot now. A closed socket reports no
            // more events, and a superfluous check does no harm.
            let place = u32::try_from(event.token().0).ok();
            let Some(key) = place.and_then(|place| self.connections.key_at(place)) else {
                continue;
            };
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            if readable && !self.discard_input(key) {
                self.remove(key, Leave::Gone);
            } else if event.is_writable() {
                self.has_room(key);
            }
        }
        self.expire();
        Ok(())
    }

    fn wait(&self) -> Option<Duration> {
        if self.deadlines.is_empty() {
            None
        } else {
            self.deadlines.wait(Instant::now())
        }
    }

    fn expire(&mut self) {
        while !self.deadlines.is_empty()
            && let Some(key) = self.deadlines.pop(Instant::now())
        {
            if self
                .connections
                .get_mut(key)
                .is_some_and(|connection| connection.lingers())
            {
                self.remove(key, Leave::Reset);
            }
        }
    }

    fn discard_input(&mut self, key: SlabKey) -> bool {
        let Self {
            connections,
            buffer,
            ..
        } = self;
        connections
            .get_mut(key)
            .is_none_or(|connection| connection.discard(buffer))
    }

    fn has_room(&mut self, key: SlabKey) {
        if self
            .connections
            .get_mut(key)
            .is_some_and(StreamConnection::found_room)
        {
            self.line_up(key);
        }
    }

    /// Queues every connection that was possibly woken.
    pub(crate) fn line_up_all(&mut self, woken: &mut Vec<u32>) {
        for group in woken.drain(..) {
            for place in self.wakers.acknowledge(group) {
                if let Some(key) = self.connections.key_at(place) {
                    self.line_up(key);
                }
            }
        }
    }

    fn line_up(&mut self, key: SlabKey) {
        if self
            .connections
            .get_mut(key)
            .is_some_and(StreamConnection::line_up)
        {
            self.run_queue.push_back(key);
        }
    }

    /// Releases the memory that a burst needed, which would be a tenth of the memory of the streams
    /// themselves.
    fn give_back(&mut self, woken: &mut Vec<u32>) {
        if self.run_queue.capacity() > IDLE_RUN_QUEUE {
            self.run_queue = VecDeque::new();
        }
        if woken.capacity() > IDLE_RUN_QUEUE {
            *woken = Vec::new();
        }
    }

    pub(crate) fn give_turns(&mut self) {
        while self.turns < TURNS
            && let Some(key) = self.run_queue.pop_front()
        {
            self.turns += 1;
            if let Some(connection) = self.connections.get_mut(key) {
                connection.leave_line();
                self.turn(key, StreamConnection::advance);
            }
        }
    }

    fn fail(&mut self, connection: StreamConnection<S>) {
        self.mailbox.counters.failed.add(1);
        self.guarded(|| connection.end(ThreadEnd::Close));
        self.mailbox.unload();
    }

    /// Polls a connection, and handles the result.
    pub(crate) fn turn(
        &mut self,
        key: SlabKey,
        act: impl FnOnce(&mut StreamConnection<S>, u32, &mut Tools<'_>) -> io::Result<NextPoll>,
    ) {
        let Self {
            connections,
            poll,
            mailbox,
            wakers,
            frames,
            ..
        } = self;
        let Some(connection) = connections.get_mut(key) else {
            return;
        };
        let mut tools = Tools {
            registry: poll.registry(),
            counters: &mailbox.counters,
            wakers,
            frames,
        };
        let next = catch_unwind(AssertUnwindSafe(|| act(connection, key.place, &mut tools)));
        match next {
            Ok(Ok(NextPoll::Wait)) => {}
            Ok(Ok(NextPoll::Again)) => self.line_up(key),
            Ok(Ok(NextPoll::Linger)) => self.deadlines.add(Instant::now() + self.linger, key),
            Ok(Ok(NextPoll::Done)) => {
                // Closing a socket with unread bytes resets the connection, and the client loses
                // the bytes that it has not read.
                self.discard_input(key);
                self.remove(key, Leave::Finished);
            }
            Ok(Ok(NextPoll::Reset)) => self.remove(key, Leave::Reset),
            Ok(Err(error)) => {
                debug!(%error, "client disconnected");
                self.remove(key, Leave::Gone);
            }
            Err(_) => {
                self.panicked();
                self.remove(key, Leave::Gone);
            }
        }
    }

    fn remove(&mut self, key: SlabKey, leave: Leave) {
        let Some(connection) = self.connections.remove(key) else {
            return;
        };
        if self.connections.is_empty() {
            self.wakers.forget();
        }
        let counters = &self.mailbox.counters;
        if connection.is_blocked() {
            counters.blocked.subtract(1);
        }
        if matches!(leave, Leave::Reset) {
            counters.resets.add(1);
        }
        self.guarded(|| match leave {
            Leave::Finished => connection.finish(),
            Leave::Gone => connection.end(ThreadEnd::Close),
            Leave::Reset => connection.end(ThreadEnd::Reset),
        });
        // The stream is uncounted last, so that nothing of it is left when it no longer counts.
        self.mailbox.unload();
    }

    fn dismiss(&mut self, adoption: Adoption, end: ThreadEnd) {
        self.guarded(|| end::dismiss(adoption, end));
        self.mailbox.unload();
    }

    /// Runs code that can call foreign code: hooks of a manager and guards of a middleware.
    fn guarded(&self, act: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(act)).is_err() {
            self.panicked();
        }
    }

    fn panicked(&self) {
        self.mailbox.counters.panics.add(1);
        error!("stream panicked; it ends");
    }
}
