//! The suite against backplanes: each with one fault fails its rule, and one without a fault
//! passes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use sse_core::{
    Retention,
    access::KeyScope,
    backplane::{
        Appended, Backplane, BackplaneError, Batch, Bounds, Cursor, EntryKey, Epoch, Lease,
        MemoryBackplane, NewEntry, Page, ReadLimit, Signals, Tail,
    },
};
use sse_testkit::backplane::{Broker, Wipe, check, rules};
use tokio::time::sleep;

macro_rules! brokers {
    ($($name:ident: $what:literal),* $(,)?) => {
        /// The fault of a backplane.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Fault {
            $(#[doc = $what] $name,)*
        }

        $(
            #[doc = $what]
            struct $name(MemoryBackplane);

            impl Broker for $name {
                async fn start(retention: Retention) -> Option<Self> {
                    Some(Self(MemoryBackplane::new(retention)))
                }

                async fn node(&self) -> Arc<dyn Backplane> {
                    Arc::new(Faulty { fault: Fault::$name, memory: self.0.clone() })
                }
            }

            impl Wipe for $name {
                async fn wipe(&mut self) {
                    self.0.clear();
                }
            }
        )*
    };
}

brokers! {
    Sound: "Nothing.",
    Stuttering: "A tail repeats entries now and then.",
    Leaky: "A tail leaves an entry out now and then.",
    Hasty: "A tail loses fetched entries when a wait is dropped.",
    Forgetful: "A tail always begins at the head.",
    DeafToKeys: "Keys do not count.",
    Leveling: "All users have one scope of keys.",
    Trusting: "The keys of users are not bounded.",
    Vague: "A duplicate is reported with its own position.",
    Content: "Every page is the last.",
    Generous: "A page ignores its limit.",
    Timeless: "A lost log keeps its epoch.",
    Soothing: "The future is the head.",
    Brazen: "Trimmed entries are skipped without an error.",
    Echoing: "A signal arrives twice.",
    Confused: "A signal is also appended as an entry.",
    Careless: "Leases are not kept.",
    Clinging: "A lease cannot be dropped.",
    Garbling: "A payload is treated as text.",
}

/// Returns a key of the app whose text is that of another key, from a byte offset on.
fn of_app(from: usize, key: &EntryKey) -> EntryKey {
    EntryKey::new(&KeyScope::App, &key.text()[from..], *key.limits()).expect("a key")
}

struct Faulty {
    fault: Fault,
    memory: MemoryBackplane,
}

impl Faulty {
    /// Translates a cursor for the memory.
    async fn inward(&self, cursor: &Cursor) -> Result<Cursor, BackplaneError> {
        let Bounds {
            epoch,
            head,
            trimmed,
        } = self.memory.bounds().await?;
        let position = match self.fault {
            Fault::Soothing => cursor.position.min(head),
            Fault::Brazen => cursor.position.max(trimmed),
            _ => cursor.position,
        };
        let is_timeless = self.fault == Fault::Timeless && cursor.epoch == self.outward(&epoch);
        Ok(Cursor::new(
            if is_timeless {
                epoch
            } else {
                cursor.epoch.clone()
            },
            position,
        ))
    }

    /// Translates an epoch of the memory.
    fn outward(&self, epoch: &Epoch) -> Epoch {
        if self.fault == Fault::Timeless {
            Epoch::new("forever").expect("an epoch")
        } else {
            epoch.clone()
        }
    }
}

#[async_trait]
impl Backplane for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    async fn bounds(&self) -> Result<Bounds, BackplaneError> {
        let bounds = self.memory.bounds().await?;
        Ok(Bounds {
            epoch: self.outward(&bounds.epoch),
            ..bounds
        })
    }

    async fn append(&self, mut entry: NewEntry) -> Result<Appended, BackplaneError> {
        match self.fault {
            Fault::DeafToKeys => entry.key = None,
            Fault::Leveling => {
                entry.key = entry
                    .key
                    .map(|key| of_app(key.user().map_or(0, |_| 33), &key));
            }
            Fault::Trusting => entry.key = entry.key.map(|key| of_app(0, &key)),
            Fault::Garbling => {
                entry.payload = String::from_utf8_lossy(&entry.payload).into_owned().into();
            }
            _ => {}
        }
        let Appended {
            mut cursor,
            duplicate,
        } = self.memory.append(entry).await?;
        if self.fault == Fault::Vague && duplicate {
            cursor.position = self.memory.bounds().await?.head;
        }
        Ok(Appended {
            cursor: Cursor::new(self.outward(&cursor.epoch), cursor.position),
            duplicate,
        })
    }

    async fn read(&self, after: &Cursor, mut limit: ReadLimit) -> Result<Page, BackplaneError> {
        if self.fault == Fault::Generous {
            limit = ReadLimit {
                entries: usize::MAX,
                bytes: usize::MAX,
            };
        }
        let page = self.memory.read(&self.inward(after).await?, limit).await?;
        Ok(Page {
            at_head: page.at_head || self.fault == Fault::Content,
            ..page
        })
    }

    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError> {
        self.memory.rewind(entries).await
    }

    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError> {
        let mut after = self.inward(after).await?;
        if self.fault == Fault::Forgetful {
            after.position = self.memory.bounds().await?.head;
        }
        let inner = self.memory.tail(&after).await?;
        Ok(Box::new(FaultyTail {
            fault: self.fault,
            inner,
            turn: AtomicU64::new(0),
        }))
    }

    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        match self.fault {
            Fault::Echoing => self.memory.signal(payload.clone()).await?,
            Fault::Confused => {
                self.memory
                    .append(NewEntry {
                        payload: payload.clone(),
                        key: None,
                    })
                    .await?;
            }
            _ => {}
        }
        self.memory.signal(payload).await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError> {
        self.memory.signals().await
    }

    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError> {
        let term = if self.fault == Fault::Careless {
            Duration::ZERO
        } else {
            term
        };
        self.memory.hold_lease(lease, term).await
    }

    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
        if self.fault == Fault::Clinging {
            Ok(())
        } else {
            self.memory.drop_lease(node).await
        }
    }

    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError> {
        self.memory.leases().await
    }
}

struct FaultyTail {
    fault: Fault,
    inner: Box<dyn Tail>,
    turn: AtomicU64,
}

#[async_trait]
impl Tail for FaultyTail {
    async fn next(&mut self) -> Result<Batch, BackplaneError> {
        let mut batch = self.inner.next().await?;
        let now_and_then = !batch.entries.is_empty()
            && self.turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(3);
        match self.fault {
            Fault::Hasty => sleep(Duration::from_millis(2)).await,
            Fault::Stuttering if now_and_then => batch.entries.extend_from_within(..1),
            Fault::Leaky if now_and_then => drop(batch.entries.pop()),
            _ => {}
        }
        Ok(batch)
    }
}

/// Returns the failure message of a rule.
fn complaint(rule: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(rule)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default(),
    )
}

macro_rules! found {
    ($($name:ident: $module:ident::$rule:ident, $fault:ident, $said:literal;)*) => {$(
        #[test]
        fn $name() {
            let blame = complaint(|| check(rules::$module::$rule::<Sound>()));
            assert_eq!(blame, None, "the rule fails for a correct implementation");
            let complaint = complaint(|| check(rules::$module::$rule::<$fault>())).expect("the rule did not detect the fault");
            assert!(complaint.contains($said), "{complaint}");
        }
    )*};
}

found! {
    an_entry_that_comes_twice: tails::tail_at_the_head_yields_only_later_entries, Stuttering, "2 entries instead of 1";
    an_entry_that_is_left_out: tails::tail_reports_when_it_caught_up, Leaky, "reports too early that it caught up";
    an_entry_that_is_lost_with_a_wait: tails::tail_wait_can_be_dropped_at_any_time, Hasty, "an entry was lost or arrived twice";
    a_tail_that_begins_late: tails::tail_reports_when_it_caught_up, Forgetful, "reports too early that it caught up";
    a_key_that_does_not_count: keys::a_key_counts_once, DeafToKeys, "a key counts twice";
    a_scope_shared_by_all_users: keys::a_key_counts_in_its_scope_alone, Leveling, "is taken for the key of another scope";
    an_ineffective_bound: keys::a_bound_on_keys_refuses_and_forgets_nothing, Trusting, "is beyond its bound";
    a_duplicate_that_is_elsewhere: keys::a_key_counts_once, Vague, "left == right";
    a_page_that_seems_the_last: pages::a_page_ends_at_its_limit_of_entries, Content, "[10, 10, 5]";
    a_page_that_is_too_large: pages::page_ends_at_its_byte_limit_after_one_entry, Generous, "[2, 2, 2, 1, 1]";
    an_epoch_that_stays: wipes::wiped_log_has_another_epoch, Timeless, "left != right";
    an_epoch_that_stays_in_use: wipes::appends_go_to_the_current_log, Timeless, "in the old epoch";
    a_future_that_is_taken_for_the_head: bounds::a_cursor_beyond_the_head_is_refused, Soothing, "a read of the future";
    an_unreported_gap: retention::oldest_entries_are_trimmed, Brazen, "a read of trimmed entries";
    a_signal_that_comes_twice: signals::a_signal_reaches_every_node_once, Echoing, "arrived twice";
    a_signal_in_the_log: signals::a_signal_is_not_in_the_log, Confused, "left == right";
    a_lease_that_is_not_kept: leases::a_lease_is_seen_by_every_node, Careless, "left == right";
    a_lease_that_stays: leases::lease_can_be_dropped, Clinging, "left == right";
    a_payload_that_is_taken_for_text: payloads::payloads_are_returned_unchanged, Garbling, "left == right";
}
