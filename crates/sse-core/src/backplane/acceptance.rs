//! Tracks whether the backplane accepts a manager's requests other than following the log.
//!
//! Publishers report each outcome, so a rejection is known at once, and successes cost nothing.
//! While requests are rejected, a task sends probes: without further publishes the manager would
//! not notice that the cause is removed. An accepted probe leaves one entry without an event in the
//! log, or sends one signal that every node ignores. A rejected probe leaves no trace.

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

/// A kind of request to the backplane other than following the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    Append,
    Signal,
    Listen,
}

impl Duty {
    const ALL: [Self; 3] = [Self::Append, Self::Signal, Self::Listen];

    /// Duties that a probe can check. The listening task itself retries listening.
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

/// State of every duty of the backplane.
#[derive(Debug, Default)]
pub(crate) struct Acceptance {
    /// `true` if any duty fails. Every publish reads it without the lock.
    is_troubled: AtomicBool,
    duties: Mutex<[AcceptanceState; Duty::ALL.len()]>,
    /// Notified when a duty starts to fail.
    pub(crate) troubled: Notify,
    /// Notified when the log is followed again: the cause of failures can be gone.
    pub(crate) recovered: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct AcceptanceState {
    phase: AcceptancePhase,
    /// Size of the last rejected payload in bytes. Probes use it because a nearly full disk accepts
    /// smaller payloads.
    bytes: usize,
    /// Number of consecutive failures to listen.
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum AcceptancePhase {
    #[default]
    Fine,
    /// A request failed; a lost connection is a possible cause.
    Suspected,
    Failing,
    /// A request failed, and a later request was accepted.
    Recovering,
}

/// Number of consecutive failures to listen that a lost connection no longer explains.
const LISTENING_FAILURES: u32 = 3;

/// Maximum size of a probe in bytes.
const MAX_PROBE_BYTES: usize = 64 << 10;

impl Acceptance {
    /// Returns the most severe failing duty.
    pub(crate) fn problem(&self) -> Option<Duty> {
        if !self.is_troubled.load(Ordering::Relaxed) {
            return None;
        }
        let duties = self.duties.lock();
        Duty::ALL.into_iter().find(|duty| {
            matches!(
                duties[*duty as usize].phase,
                AcceptancePhase::Failing | AcceptancePhase::Recovering
            )
        })
    }

    /// Records the outcome of a request with a payload of `bytes` bytes.
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
                    AcceptancePhase::Fine | AcceptancePhase::Suspected => AcceptancePhase::Fine,
                    AcceptancePhase::Failing | AcceptancePhase::Recovering => {
                        AcceptancePhase::Recovering
                    }
                };
            }),
            Ok(_) => {}
            Err(error) => {
                if let Some(is_certain) = blame(error) {
                    self.fail(duty, backplane, error, |state| {
                        state.bytes = bytes;
                        is_certain
                            || state.phase == AcceptancePhase::Failing
                            || state.phase == AcceptancePhase::Recovering
                    });
                }
            }
        }
    }

    /// Records whether the manager receives signals of other nodes.
    pub(crate) fn note_listening(
        &self,
        backplane: &dyn Backplane,
        is_unavailable: bool,
        result: Result<(), &BackplaneError>,
    ) {
        match result {
            Ok(()) => self.end(Duty::Listen, backplane),
            // The backplane is unavailable, which is reported separately.
            Err(_) if is_unavailable => {}
            Err(error) => self.fail(Duty::Listen, backplane, error, |state| {
                state.failures += 1;
                blame(error) == Some(true) || state.failures >= LISTENING_FAILURES
            }),
        }
    }

    /// Records that the log is followed again.
    pub(crate) fn recovered(&self) {
        self.recovered.notify_one();
    }

    /// Records a failure: certain, or one whose cause a probe has to find.
    fn fail(
        &self,
        duty: Duty,
        backplane: &dyn Backplane,
        error: &BackplaneError,
        is_certain: impl FnOnce(&mut AcceptanceState) -> bool,
    ) {
        let mut is_new = false;
        self.change(duty, |state| {
            let was_failing = matches!(
                state.phase,
                AcceptancePhase::Failing | AcceptancePhase::Recovering
            );
            state.phase = if is_certain(state) {
                AcceptancePhase::Failing
            } else {
                AcceptancePhase::Suspected
            };
            is_new = state.phase == AcceptancePhase::Failing && !was_failing;
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
            was_failing = matches!(
                state.phase,
                AcceptancePhase::Failing | AcceptancePhase::Recovering
            );
            *state = AcceptanceState::default();
        });
        if was_failing {
            info!(backplane = backplane.name(), "{}", duty.resumed());
        }
    }

    fn change(&self, duty: Duty, change: impl FnOnce(&mut AcceptanceState)) {
        let mut duties = self.duties.lock();
        change(&mut duties[duty as usize]);
        let is_troubled = duties
            .iter()
            .any(|state| state.phase != AcceptancePhase::Fine);
        self.is_troubled.store(is_troubled, Ordering::Relaxed);
    }

    fn state(&self, duty: Duty) -> AcceptanceState {
        self.duties.lock()[duty as usize]
    }

    pub(crate) fn is_fine(&self) -> bool {
        Duty::PROBED
            .into_iter()
            .all(|duty| self.state(duty).phase == AcceptancePhase::Fine)
    }

    pub(crate) async fn check(&self, duty: Duty, backplane: &dyn Backplane, is_unavailable: bool) {
        let state = self.state(duty);
        match state.phase {
            AcceptancePhase::Fine => {}
            // A lost connection, which is reported separately.
            AcceptancePhase::Suspected if is_unavailable => self.end(duty, backplane),
            AcceptancePhase::Recovering => self.end(duty, backplane),
            AcceptancePhase::Suspected | AcceptancePhase::Failing => {
                match within(RESPONSE_TIMEOUT, send(duty, backplane, state.bytes)).await {
                    Ok(()) => self.end(duty, backplane),
                    Err(error) if blame(&error).is_some() => {
                        debug!(
                            ?duty,
                            error = &error as &dyn Error,
                            "probe rejected by the backplane"
                        );
                        self.fail(duty, backplane, &error, |_| true);
                    }
                    // The backplane responds to the node, and is only busy.
                    Err(_) if state.phase == AcceptancePhase::Suspected => {
                        self.end(duty, backplane);
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

/// Returns `true` if an error says that the backplane rejects everything, `false` if that is only
/// possible, and `None` if the error concerns this call alone.
fn blame(error: &BackplaneError) -> Option<bool> {
    match error {
        BackplaneError::Blocked { .. } | BackplaneError::Rejected { .. } => Some(true),
        BackplaneError::Unavailable { .. } => Some(false),
        _ => None,
    }
}

/// Sends a payload without an event.
async fn send(duty: Duty, backplane: &dyn Backplane, bytes: usize) -> Result<(), BackplaneError> {
    let payload = Bytes::from(vec![PROBE; bytes.clamp(1, MAX_PROBE_BYTES)]);
    if duty == Duty::Signal {
        return backplane.signal(payload).await;
    }
    // With a key: a backplane can append under a key in another way, and then rejects only appends
    // with keys.
    let key = EntryKey::try_from(&*format!("{:032x}", rand::random::<u128>())).ok();
    backplane.append(NewEntry { payload, key }).await.map(drop)
}
