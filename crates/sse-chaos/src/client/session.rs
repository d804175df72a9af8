//! The life cycle of a client: it connects, listens, loses its connection and waits.

use std::time::Duration;

use rand::{SeedableRng, rngs::StdRng};
use sse_testkit::{Error, Head, RawClient};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    client::{
        delay::DelayInputs,
        listener::{Listener, News},
        request::ClientRequest,
        state::{Departure, Orders, Phase, SharedState},
    },
    observation::{Loss, Observation, StopReason},
};

/// Lifetime after which a stream counts as successful, even if it delivered nothing.
const STABLE: Duration = Duration::from_secs(5);

/// Number of heartbeat intervals after which silence is too long.
const INTERVALS: f64 = 2.5;

/// The data of a client's task.
#[derive(Debug)]
pub(crate) struct ClientSession {
    request: ClientRequest,
    listener: Listener,
    random: StdRng,
    connection: Option<RawClient>,
    vanished: Option<RawClient>,
    /// Number of failures in a row.
    failures: u32,
    opened_at: Option<Instant>,
    /// Time of silence after which the connection is taken for dead.
    silence: Option<Duration>,
}

/// The reason why a client has no connection any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The connection is lost for now; a server may have requested a delay.
    Lost(Loss, Option<Duration>),
    For(StopReason),
}

impl ClientSession {
    pub(crate) fn new(request: ClientRequest, known: SharedState) -> Self {
        Self {
            listener: Listener::new(known, &request.last_event_id, request.number),
            random: StdRng::seed_from_u64(request.seed),
            connection: None,
            vanished: None,
            failures: 0,
            opened_at: None,
            silence: None,
            request,
        }
    }

    pub(crate) async fn run(mut self, mut orders: watch::Receiver<Orders>) {
        loop {
            let given = *orders.borrow_and_update();
            if given.is_stopped {
                return self.stop(StopReason::Asked);
            }
            if given.is_paused {
                self.pause(&mut orders).await;
                continue;
            }
            self.be(Phase::Connecting);
            let over = tokio::select! {
                biased;
                () = new_order(&mut orders, |new| new.drops != given.drops || new.is_stopped) => {
                    Over::Lost(Loss::Dropped, None)
                }
                over = self.visit(given) => over,
            };
            let given = *orders.borrow_and_update();
            self.leave(given.departure);
            let Some(wait) = self.lost(over) else { return };
            if given.is_paused || given.is_stopped {
                continue;
            }
            self.be(Phase::Waiting);
            tokio::select! {
                biased;
                () = new_order(&mut orders, |new| new.is_paused || new.is_stopped || new.wakes != given.wakes) => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Runs one connection, from its beginning to its end.
    async fn visit(&mut self, orders: Orders) -> Over {
        let request = self
            .request
            .to_raw(orders.address, self.listener.last_event_id());
        let client = match timeout(self.request.connect_timeout, request.open()).await {
            Ok(Ok(client)) => client,
            Err(_) | Ok(Err(Error::Io(_))) => return Over::Lost(Loss::Unreachable, None),
            Ok(Err(_)) => return Over::Lost(Loss::Broken, None),
        };
        let client = self.connection.insert(client);
        match client.head().await {
            Ok(head) => match judged(head) {
                Err(over) => return over,
                Ok(heartbeat) => {
                    self.silence = self.request.stale_after.or(heartbeat.map(too_long));
                }
            },
            Err(_) => return Over::Lost(Loss::Broken, None),
        }
        self.opened_at = Some(Instant::now());
        self.be(Phase::Open);
        self.listen().await
    }

    async fn listen(&mut self) -> Over {
        loop {
            let Some(client) = &mut self.connection else {
                return Over::Lost(Loss::Broken, None);
            };
            let read = match self.silence {
                Some(silence) => timeout(silence, client.next_bytes()).await,
                None => Ok(client.next_bytes().await),
            };
            let bytes = match read {
                Err(_) => return Over::Lost(Loss::Stale, None),
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => {
                    let is_clean = client.end().await.is_ok_and(sse_testkit::End::is_clean);
                    return Over::Lost(if is_clean { Loss::Ended } else { Loss::Broken }, None);
                }
                Ok(Err(Error::Protocol(_))) => return Over::Lost(Loss::Malformed, None),
                Ok(Err(_)) => return Over::Lost(Loss::Broken, None),
            };
            let News {
                heartbeat,
                is_of_use,
                forbids_reconnect,
            } = self.listener.receive(&bytes);
            if let (None, Some(heartbeat)) = (self.request.stale_after, heartbeat) {
                self.silence = Some(too_long(heartbeat));
            }
            if is_of_use {
                self.failures = 0;
            }
            if forbids_reconnect {
                return Over::For(StopReason::Banned);
            }
        }
    }

    /// Closes the connection in this way.
    fn leave(&mut self, departure: Departure) {
        let Some(client) = self.connection.take() else {
            return;
        };
        match departure {
            Departure::Close => drop(client),
            // A connection that cannot be reset is closed already.
            Departure::Reset => _ = client.reset(),
            Departure::Vanish => self.vanished = Some(client),
        }
    }

    /// Records the end of a connection. Returns the delay before the next attempt, if there is to
    /// be one.
    fn lost(&mut self, over: Over) -> Option<Duration> {
        self.listener.reconnect();
        self.silence = None;
        if self
            .opened_at
            .take()
            .is_some_and(|opened| opened.elapsed() >= STABLE)
        {
            self.failures = 0;
        }
        let (loss, retry_after) = match over {
            Over::Lost(loss, retry_after) => (loss, retry_after),
            Over::For(stop) => {
                self.stop(stop);
                return None;
            }
        };
        self.note(Observation::Lost(loss));
        self.failures = self.failures.saturating_add(1);
        let wait = DelayInputs {
            failures: self.failures,
            base: self.request.base,
            most: self.request.most,
            retry: self.listener.retry(),
            retry_after,
        };
        Some(wait.draw(&mut self.random))
    }

    async fn pause(&mut self, orders: &mut watch::Receiver<Orders>) {
        self.note(Observation::Paused);
        self.be(Phase::Paused);
        new_order(orders, |new| !new.is_paused || new.is_stopped).await;
        if !orders.borrow().is_stopped {
            self.failures = 0;
            self.note(Observation::Unpaused);
        }
    }

    fn stop(&mut self, stop: StopReason) {
        self.note(Observation::Stopped(stop));
        self.be(Phase::Stopped(stop));
    }

    fn note(&self, observation: Observation) {
        self.listener
            .known
            .lock()
            .journal
            .push(Instant::now(), observation);
    }

    fn be(&self, phase: Phase) {
        self.listener.known.lock().status.phase = phase;
    }
}

/// Waits for orders of this kind. Waits forever if the handle was dropped, which ends the task.
async fn new_order(orders: &mut watch::Receiver<Orders>, is_it: impl FnMut(&Orders) -> bool) {
    if orders.wait_for(is_it).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Checks that a response is a stream, and returns the announced heartbeat interval.
fn judged(head: &Head) -> Result<Option<Duration>, Over> {
    let number = |name| {
        head.headers
            .get(name)
            .and_then(|value| value.parse::<u64>().ok())
    };
    match head.status {
        200 if head.expect_stream().is_err() => Err(Over::For(StopReason::NotAStream)),
        200 => Ok(number("x-sse-heartbeat-ms")
            .filter(|every| *every > 0)
            .map(Duration::from_millis)),
        status @ (408 | 425 | 429 | 500..) => Err(Over::Lost(
            Loss::Refused(status),
            number("retry-after").map(Duration::from_secs),
        )),
        status => Err(Over::For(StopReason::Refused(status))),
    }
}

fn too_long(heartbeat: Duration) -> Duration {
    heartbeat.mul_f64(INTERVALS)
}
