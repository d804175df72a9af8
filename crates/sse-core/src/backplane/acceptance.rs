//! Whether the backplane accepts what a manager asks for beside following the log.
//!
//! Publishers report each outcome, so a rejection is known at once and costs nothing where there is
//! none. While something is rejected, a task sends probes: without further publishes the manager
//! would not notice that the cause is gone. A probe that is accepted leaves one entry without an
//! event in the log, or one signal that nobody reads; one that is rejected leaves nothing.

use std::{
    error::Error,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::{
    backplane::{Backplane, BackplaneError, NewEntry, RESPONSE_TIMEOUT, envelope::PROBE, within},
    log::entry_key::EntryKey,
    sync::Mutex,
};

/// What a backplane is asked for beside following the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    Append,
    Signal,
    Listen,
}

impl Duty {
    const ALL: [Self; 3] = [Self::Append, Self::Signal, Self::Listen];

    /// Duties that a probe can check. Listening is tried again by whoever listens.
    pub(crate) const PROBED: [Self; 2] = [Self::Append, Self::Signal];

    const fn failed(self) -> &'static str {
        match self {
            Self::Append => {
                "failed to append to the event log; publishes are rejected until the backplane accepts them"
            }
            Self::Signal => {
                "failed to signal other nodes; events outside the log are rejected until the backplane accepts them"
            }
            Self::Listen => {
                "failed to listen to other nodes; events outside the log are missed until the backplane allows it"
            }
        }
    }

    const fn resumed(self) -> &'static str {
        match self {
            Self::Append => "resumed appending to the event log",
            Self::Signal => "resumed signalling other nodes",
            Self::Listen => "resumed listening to other nodes",
        }
    }
}

/// Whether the backplane accepts what a manager asks for.
#[derive(Debug, Default)]
pub(crate) struct Acceptance {
    /// Whether any duty is not fine. Read without the lock by every publish.
    is_troubled: AtomicBool,
    duties: Mutex<[State; Duty::ALL.len()]>,
    /// A duty is no longer fine.
    pub(crate) troubled: Notify,
    /// The log is followed again: the cause may be gone.
    pub(crate) recovered: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    phase: Phase,
    /// The size of what was rejected last: a disk that is nearly full accepts less than what was
    /// rejected.
    bytes: usize,
    /// Failures to listen in a row.
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Fine,
    /// Something failed, of which the connection may be the cause.
    Suspected,
    Failing,
    /// It failed, and something was accepted since.
    Recovering,
}

/// Failures to listen in a row that are no longer a connection that was lost.
const LISTENING_FAILURES: u32 = 3;

/// The largest probe.
const MAX_PROBE_BYTES: usize = 64 << 10;

impl Acceptance {
    /// What is not fulfilled, the worst first.
    pub(crate) fn problem(&self) -> Option<Duty> {
        if !self.is_troubled.load(Ordering::Relaxed) {
            return None;
        }
        let duties = self.duties.lock();
        Duty::ALL.into_iter().find(|duty| {
            matches!(
                duties[*duty as usize].phase,
                Phase::Failing | Phase::Recovering
            )
        })
    }

    /// Notes how something ended that was to be sent.
    pub(crate) fn note<T>(
        &self,
        duty: Duty,
        backplane: &dyn Backplane,
        bytes: usize,
        result: &Result<T, BackplaneError>,
    ) {
        match result {
            Ok(_) if self.is_troubled.load(Ordering::Relaxed) => self.change(duty, |state| {
                state.phase = match state.phase {
                    Phase::Fine | Phase::Suspected => Phase::Fine,
                    Phase::Failing | Phase::Recovering => Phase::Recovering,
                };
            }),
            Ok(_) => {}
            Err(error) => {
                if let Some(is_certain) = blame(error) {
                    self.fail(duty, backplane, error, |state| {
                        state.bytes = bytes;
                        is_certain
                            || state.phase == Phase::Failing
                            || state.phase == Phase::Recovering
                    });
                }
            }
        }
    }

    /// Notes whether the manager listens to other nodes.
    pub(crate) fn note_listening(
        &self,
        backplane: &dyn Backplane,
        is_away: bool,
        result: Result<(), &BackplaneError>,
    ) {
        match result {
            Ok(()) => self.end(Duty::Listen, backplane),
            // Then there is nobody to listen to, which is reported by itself.
            Err(_) if is_away => {}
            Err(error) => self.fail(Duty::Listen, backplane, error, |state| {
                state.failures += 1;
                blame(error) == Some(true) || state.failures >= LISTENING_FAILURES
            }),
        }
    }

    /// The log is followed again.
    pub(crate) fn recovered(&self) {
        self.recovered.notify_one();
    }

    /// Something failed: certainly, or so that a probe has to say why.
    fn fail(
        &self,
        duty: Duty,
        backplane: &dyn Backplane,
        error: &BackplaneError,
        is_certain: impl FnOnce(&mut State) -> bool,
    ) {
        let mut is_new = false;
        self.change(duty, |state| {
            let was_failing = matches!(state.phase, Phase::Failing | Phase::Recovering);
            state.phase = if is_certain(state) {
                Phase::Failing
            } else {
                Phase::Suspected
            };
            is_new = state.phase == Phase::Failing && !was_failing;
        });
        if is_new {
            warn!(
                backplane = backplane.name(),
                error = error as &dyn Error,
                "{}",
                duty.failed()
            );
        }
        self.troubled.notify_one();
    }

    fn end(&self, duty: Duty, backplane: &dyn Backplane) {
        let mut was_failing = false;
        self.change(duty, |state| {
            was_failing = matches!(state.phase, Phase::Failing | Phase::Recovering);
            *state = State::default();
        });
        if was_failing {
            info!(backplane = backplane.name(), "{}", duty.resumed());
        }
    }

    fn change(&self, duty: Duty, change: impl FnOnce(&mut State)) {
        let mut duties = self.duties.lock();
        change(&mut duties[duty as usize]);
        let is_troubled = duties.iter().any(|state| state.phase != Phase::Fine);
        self.is_troubled.store(is_troubled, Ordering::Relaxed);
    }

    fn state(&self, duty: Duty) -> State {
        self.duties.lock()[duty as usize]
    }

    pub(crate) fn is_fine(&self) -> bool {
        Duty::PROBED
            .into_iter()
            .all(|duty| self.state(duty).phase == Phase::Fine)
    }

    pub(crate) async fn check(&self, duty: Duty, backplane: &dyn Backplane, is_away: bool) {
        let state = self.state(duty);
        match state.phase {
            Phase::Fine => {}
            // A connection that was lost, which is reported by itself.
            Phase::Suspected if is_away => self.end(duty, backplane),
            Phase::Recovering => self.end(duty, backplane),
            Phase::Suspected | Phase::Failing => {
                match within(RESPONSE_TIMEOUT, send(duty, backplane, state.bytes)).await {
                    Ok(()) => self.end(duty, backplane),
                    Err(error) if blame(&error).is_some() => {
                        debug!(?duty, error = &error as &dyn Error, "a probe was rejected");
                        self.fail(duty, backplane, &error, |_| true);
                    }
                    // The backplane talks to the node, and has only much to do.
                    Err(_) if state.phase == Phase::Suspected => self.end(duty, backplane),
                    Err(_) => {}
                }
            }
        }
    }
}

/// Whether an error says that the backplane accepts nothing: certainly, or perhaps. `None` if it is
/// about this one call.
fn blame(error: &BackplaneError) -> Option<bool> {
    match error {
        BackplaneError::Blocked { .. } | BackplaneError::Rejected { .. } => Some(true),
        BackplaneError::Unavailable { .. } => Some(false),
        _ => None,
    }
}

/// Sends what has no event in it.
async fn send(duty: Duty, backplane: &dyn Backplane, bytes: usize) -> Result<(), BackplaneError> {
    let payload = Bytes::from(vec![PROBE; bytes.clamp(1, MAX_PROBE_BYTES)]);
    if duty == Duty::Signal {
        return backplane.signal(payload).await;
    }
    // With a key, since a backplane may append under a key by other means, and would reject these
    // alone.
    let key = EntryKey::try_from(&*format!("{:032x}", rand::random::<u128>())).ok();
    backplane.append(NewEntry { payload, key }).await.map(drop)
}
