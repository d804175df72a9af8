//! A backplane whose log can be followed, but that rejects requests.

use std::time::Duration;

use sse_core::{
    Event, Handshake, Manager, PublishError, Receipt, Retention, Target,
    backplane::{Backplane, BackplaneError, MemoryBackplane},
    stats::LogState,
};
use sse_testkit::backplane::{Calls, ScriptedBackplane, ScriptedError};
use tokio::time::sleep;

use crate::{
    nodes::{SOON, node},
    support::{Client, data},
};

const REJECTIONS: [ScriptedError; 3] = [
    ScriptedError::Blocked,
    ScriptedError::Refused,
    ScriptedError::Unavailable,
];

/// Longer than the longest pause between two probes.
const PROBED: Duration = Duration::from_secs(6);

fn state(manager: &Manager) -> LogState {
    manager.log_stats().unwrap().state
}

/// Creates a node on a connection that can reject calls.
async fn scripted() -> (Manager, ScriptedBackplane, MemoryBackplane) {
    let memory = MemoryBackplane::new(Retention::default());
    let backplane = ScriptedBackplane::new(memory.clone());
    (node(backplane.clone()).await, backplane, memory)
}

fn is_passing(result: &Result<Receipt, PublishError>) -> bool {
    matches!(result, Err(PublishError::Unavailable { retry_after, .. }) if !retry_after.is_zero())
}

fn events() -> [(&'static str, Calls, Event); 4] {
    let event = || Event::text("x");
    [
        ("plain", Calls::Appends, event()),
        (
            "with a key",
            Calls::Appends,
            event().with_idempotency_key("k"),
        ),
        (
            "patient",
            Calls::Appends,
            event().with_retry_for(Duration::from_secs(1)),
        ),
        ("ephemeral", Calls::Signals, event().ephemeral()),
    ]
}

#[tokio::test(start_paused = true)]
async fn rejected_publish_is_unavailable_and_reported() {
    for rejection in REJECTIONS {
        for (what, calls, event) in events() {
            let (manager, backplane, memory) = scripted().await;
            let mut client = Client::greeted(&manager, Handshake::new());
            assert_eq!(state(&manager), LogState::Current);
            backplane.reject(calls, Some(rejection));
            for _ in 0..20 {
                let result = manager.all().publish(event.clone()).await;
                assert!(is_passing(&result), "{what}, {rejection:?}");
            }
            // Only a failed probe shows that the cause is not a lost connection.
            if rejection == ScriptedError::Unavailable {
                sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(
                state(&manager),
                LogState::Rejecting,
                "{what}, {rejection:?}"
            );
            sleep(3 * PROBED).await;
            assert_eq!(
                state(&manager),
                LogState::Rejecting,
                "{what}, {rejection:?}"
            );

            // Without publishes, the manager finds out automatically.
            let before = memory.bounds().await.unwrap().head.minor();
            backplane.reject(calls, None);
            sleep(PROBED).await;
            assert_eq!(state(&manager), LogState::Current, "{what}, {rejection:?}");
            let probes = memory.bounds().await.unwrap().head.minor() - before;
            assert_eq!(
                probes,
                u64::from(calls == Calls::Appends),
                "{what}, {rejection:?}"
            );
            let reported: Vec<_> = client
                .names()
                .into_iter()
                .filter(|name| name != "heartbeat")
                .collect();
            assert_eq!(
                reported, [""; 0],
                "streams miss nothing: {what}, {rejection:?}"
            );
            assert_eq!(manager.log_stats().unwrap().unreadable, 0);
            let sent = manager.all().publish(event.clone()).await.unwrap();
            assert_eq!(sent.matched, 1);
            sleep(SOON).await;
            assert_eq!(client.data(), ["x"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn patient_publish_waits_until_rejection_ends() {
    for rejection in REJECTIONS {
        for (calls, event) in [
            (Calls::Appends, Event::text("x")),
            (Calls::Signals, Event::text("x").ephemeral()),
        ] {
            if (calls, rejection) == (Calls::Signals, ScriptedError::Unavailable) {
                // Other nodes can have received it: a signal is sent at most once.
                continue;
            }
            let (manager, backplane, memory) = scripted().await;
            let other = node(memory).await;
            let mut there = Client::greeted(&other, Handshake::new());
            sleep(Duration::from_secs(1)).await;
            backplane.reject(calls, Some(rejection));
            let publishing = tokio::spawn({
                let manager = manager.clone();
                async move {
                    manager
                        .all()
                        .publish(event.with_retry_for(Duration::from_secs(60)))
                        .await
                }
            });
            sleep(Duration::from_secs(30)).await;
            assert!(!publishing.is_finished());
            backplane.reject(calls, None);
            let receipt = publishing.await.unwrap().unwrap();
            assert!(!receipt.duplicate);
            sleep(PROBED).await;
            assert_eq!(
                (data(&there.take()), state(&manager)),
                (vec!["x"], LogState::Current)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn too_large_event_does_not_affect_others() {
    struct Small(MemoryBackplane);
    #[async_trait::async_trait]
    impl Backplane for Small {
        fn name(&self) -> &'static str {
            "small"
        }
        async fn append(
            &self,
            entry: sse_core::backplane::NewEntry,
        ) -> Result<sse_core::backplane::Appended, BackplaneError> {
            match entry.payload.len() {
                size if size > 200 => Err(BackplaneError::TooLarge { size, limit: 200 }),
                _ => self.0.append(entry).await,
            }
        }
        async fn bounds(&self) -> Result<sse_core::backplane::Bounds, BackplaneError> {
            self.0.bounds().await
        }
        async fn read(
            &self,
            after: &sse_core::backplane::Cursor,
            limit: sse_core::backplane::ReadLimit,
        ) -> Result<sse_core::backplane::Page, BackplaneError> {
            self.0.read(after, limit).await
        }
        async fn rewind(
            &self,
            entries: u64,
        ) -> Result<sse_core::backplane::Cursor, BackplaneError> {
            self.0.rewind(entries).await
        }
        async fn tail(
            &self,
            after: &sse_core::backplane::Cursor,
        ) -> Result<Box<dyn sse_core::backplane::Tail>, BackplaneError> {
            self.0.tail(after).await
        }
        async fn signal(&self, payload: bytes::Bytes) -> Result<(), BackplaneError> {
            self.0.signal(payload).await
        }
        async fn signals(&self) -> Result<Box<dyn sse_core::backplane::Signals>, BackplaneError> {
            self.0.signals().await
        }
        async fn hold_lease(
            &self,
            lease: sse_core::backplane::Lease,
            term: Duration,
        ) -> Result<(), BackplaneError> {
            self.0.hold_lease(lease, term).await
        }
        async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
            self.0.drop_lease(node).await
        }
        async fn leases(&self) -> Result<Vec<sse_core::backplane::Lease>, BackplaneError> {
            self.0.leases().await
        }
    }
    let manager = node(Small(MemoryBackplane::new(Retention::default()))).await;
    let large = Event::text("x".repeat(300)).with_retry_for(Duration::from_secs(60));
    let error = manager.all().publish(large).await.unwrap_err();
    assert!(
        matches!(
            error,
            PublishError::Backplane(BackplaneError::TooLarge { .. })
        ),
        "{error:?}"
    );
    sleep(PROBED).await;
    assert_eq!(state(&manager), LogState::Current);
    manager.all().publish(Event::text("x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_lost_reply_is_not_a_rejection() {
    let (manager, backplane, memory) = scripted().await;
    backplane.lose_answers(1);
    assert!(is_passing(&manager.all().publish(Event::text("x")).await));
    for _ in 0..20 {
        sleep(Duration::from_millis(100)).await;
        assert_eq!(state(&manager), LogState::Current);
    }
    assert_eq!(
        memory.bounds().await.unwrap().head.minor(),
        2,
        "the event and one probe"
    );
    // An earlier success makes the probe unnecessary.
    backplane.lose_answers(1);
    assert!(is_passing(&manager.all().publish(Event::text("y")).await));
    manager.all().publish(Event::text("z")).await.unwrap();
    sleep(PROBED).await;
    assert_eq!(memory.bounds().await.unwrap().head.minor(), 4);
}

#[tokio::test(start_paused = true)]
async fn lost_backplane_is_unavailable_then_recovers() {
    let (manager, backplane, _) = scripted().await;
    let mut client = Client::greeted(&manager, Handshake::new());
    backplane.set_away(true);
    sleep(Duration::from_secs(2)).await;
    assert!(is_passing(&manager.all().publish(Event::text("x")).await));
    sleep(3 * PROBED).await;
    assert_eq!(state(&manager), LogState::Away);
    backplane.set_away(false);
    while state(&manager) != LogState::Current {
        sleep(SOON).await;
    }
    assert_eq!(client.names(), ["degraded", "restored"]);
}

#[tokio::test(start_paused = true)]
async fn node_without_listen_permission_reports_it() {
    for rejection in REJECTIONS {
        let (manager, backplane, _) = scripted().await;
        sleep(SOON).await;
        backplane.reject(Calls::Listening, Some(rejection));
        sleep(Duration::from_secs(3)).await;
        assert_eq!(state(&manager), LogState::NotListening, "{rejection:?}");
        // Logged events still arrive.
        let mut client = Client::greeted(&manager, Handshake::new());
        manager.all().publish(Event::text("x")).await.unwrap();
        assert_eq!(client.data(), ["x"]);
        backplane.reject(Calls::Listening, None);
        sleep(PROBED).await;
        assert_eq!(state(&manager), LogState::Current, "{rejection:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn full_backplane_is_probed_with_pauses() {
    let (manager, backplane, _) = scripted().await;
    backplane.reject(Calls::Appends, Some(ScriptedError::Blocked));
    assert!(is_passing(
        &manager.publish(Target::All, Event::text("x")).await
    ));
    sleep(Duration::from_secs(600)).await;
    let probes = backplane.rejected_appends() - 1;
    assert!(
        (100..=300).contains(&probes),
        "{probes} probes in ten minutes"
    );
}

#[tokio::test(start_paused = true)]
async fn probe_is_as_large_as_the_rejected_payload() {
    let (manager, backplane, memory) = scripted().await;
    for bytes in [10, 5_000, 500_000] {
        let start = manager.log_stats().unwrap().head;
        backplane.reject(Calls::Appends, Some(ScriptedError::Blocked));
        assert!(is_passing(
            &manager.all().publish(Event::text("x".repeat(bytes))).await
        ));
        backplane.reject(Calls::Appends, None);
        sleep(PROBED).await;
        let limit = sse_core::backplane::ReadLimit {
            entries: 10,
            bytes: 1 << 20,
        };
        let page = memory.read(&start, limit).await.unwrap();
        let [probe] = &page.entries[..] else {
            panic!("{} entries", page.entries.len())
        };
        assert!((bytes.min(64 << 10)..=bytes.min(64 << 10) + 200).contains(&probe.payload.len()));
    }
}
