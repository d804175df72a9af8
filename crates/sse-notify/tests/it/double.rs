//! A test double in place of a manager.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sse_core::{ClientId, Event, Publish, PublishError, Receipt, Target, UserId};
use sse_notify::Notifier;

/// A published event: its target, its exceptions and its data.
type Published = (Target, Vec<ClientId>, String);

/// A publisher that records the published events.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Published>>>);

#[async_trait]
impl Publish for Recorder {
    async fn publish(
        &self,
        target: Target,
        except: &[ClientId],
        event: Event,
    ) -> Result<Receipt, PublishError> {
        let text = String::from_utf8(event.encode().to_vec()).unwrap();
        self.0.lock().unwrap().push((target, except.to_vec(), text));
        Ok(Receipt::default())
    }
}

#[tokio::test]
async fn notifier_sends_through_any_publisher() {
    let recorder = Recorder::default();
    let notify = Notifier::new(recorder.clone());
    let client: ClientId = "0123456789abcdef0123456789abcdef".parse().unwrap();
    notify
        .user("42")
        .except(client)
        .info("hello")
        .timestamp(1)
        .await
        .unwrap();
    let published = recorder.0.lock().unwrap().clone();
    let wire =
        "event: notification\ndata: {\"type\":\"info\",\"message\":\"hello\",\"timestamp\":1}\n\n";
    assert_eq!(
        published,
        [(
            Target::User(UserId::new("42").unwrap()),
            vec![client],
            wire.to_owned()
        )]
    );
}
