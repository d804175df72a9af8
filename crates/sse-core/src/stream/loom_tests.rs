//! Every interleaving of a queue's producer, its consumer, and the operations that end the stream.
//!
//! A lost wake-up leaves a thread waiting forever, which loom reports as a deadlock.

use std::{
    sync::Arc,
    task::{Poll, Wake, Waker},
};

use loom::{
    sync::{Condvar, Mutex},
    thread,
};

use crate::{
    clock::Millis,
    dialect::{farewell::Farewell, reason::DisconnectReason},
    event::Event,
    stream::{
        backlog::Limit,
        overflow::Overflow,
        queue::{Pushed, Queue, QueueBatch, QueueBounds},
    },
};

const BOUNDS: QueueBounds = QueueBounds {
    frames: 8,
    bytes: 1024,
};
const LIMIT: Limit = Limit {
    frames: 8,
    bytes: 1024,
};

/// Blocks a thread until its waker is called.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            rung: Mutex::new(false),
            changed: Condvar::new(),
        })
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

fn queue() -> Arc<Queue> {
    Arc::new(Queue::new(0, Millis::default()))
}

/// Pushes an event and wakes the transport after the lock is released, as the manager does. Returns
/// `true` if the event was queued.
fn push(queue: &Queue, text: &str) -> bool {
    let frame = Event::text(text).into_frame();
    let pushed = queue
        .lock()
        .push(&frame, BOUNDS, Overflow::Disconnect, Millis::default());
    match pushed {
        Pushed::Queued { wake, .. } => {
            wake.into_iter().for_each(Waker::wake);
            true
        }
        Pushed::Full => panic!("the queue is full"),
        Pushed::Closed => false,
    }
}

fn end(queue: &Queue, reason: DisconnectReason) {
    let wakers = queue.lock().end(Farewell::new(reason));
    wakers.for_each(Waker::wake);
}

fn poll(queue: &Queue, waker: &Waker, batch: &mut QueueBatch) -> Poll<bool> {
    queue.poll_take(waker, LIMIT, Millis::default, batch)
}

/// Takes events like a transport until `most` arrived or the stream ended. Returns them with the
/// reason of the farewell.
fn consume(queue: &Queue, most: usize) -> (Vec<String>, Option<DisconnectReason>) {
    let bell = Bell::new();
    let waker = Waker::from(Arc::clone(&bell));
    let (mut texts, mut reason) = (Vec::new(), None);
    while texts.len() < most {
        let mut batch = QueueBatch::default();
        match poll(queue, &waker, &mut batch) {
            Poll::Pending => bell.wait(),
            Poll::Ready(false) => break,
            Poll::Ready(true) => {
                assert!(
                    !batch.frames.is_empty() || batch.farewell.is_some(),
                    "a ready poll returns a frame or a reason"
                );
                let text =
                    |bytes: &[u8]| String::from_utf8(bytes[6..bytes.len() - 2].to_vec()).unwrap();
                texts.extend(batch.frames.iter().map(|frame| text(frame.as_event())));
                reason = batch.farewell.map(|farewell| farewell.reason).or(reason);
            }
        }
    }
    (texts, reason)
}

#[test]
fn no_event_is_lost_between_push_and_poll() {
    loom::model(|| {
        let queue = queue();
        let producer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                assert!(push(&queue, "a"));
                assert!(push(&queue, "b"));
            }
        });
        let (texts, reason) = consume(&queue, 2);
        assert_eq!(
            (texts, reason),
            (vec!["a".to_owned(), "b".to_owned()], None)
        );
        producer.join().unwrap();
    });
}

#[test]
fn two_producers_wake_one_consumer() {
    loom::model(|| {
        let queue = queue();
        let producers = ["a", "b"].map(|text| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || assert!(push(&queue, text)))
        });
        let (mut texts, _) = consume(&queue, 2);
        texts.sort_unstable();
        assert_eq!(texts, ["a", "b"]);
        producers
            .into_iter()
            .for_each(|producer| producer.join().unwrap());
    });
}

#[test]
fn end_follows_queued_events_and_wakes() {
    loom::model(|| {
        let queue = queue();
        let pusher = thread::spawn({
            let queue = Arc::clone(&queue);
            move || push(&queue, "a")
        });
        let ender = thread::spawn({
            let queue = Arc::clone(&queue);
            move || end(&queue, DisconnectReason::Kicked)
        });
        let (texts, reason) = consume(&queue, usize::MAX);
        assert_eq!(reason, Some(DisconnectReason::Kicked));
        let queued = pusher.join().unwrap();
        assert_eq!(
            texts,
            if queued { vec!["a"] } else { vec![] },
            "an event is taken only if it was queued"
        );
        ender.join().unwrap();
    });
}

#[test]
fn waiter_is_notified_of_the_end() {
    loom::model(|| {
        let queue = queue();
        let watcher = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let bell = Bell::new();
                let waker = Waker::from(Arc::clone(&bell));
                let mut key = None;
                loop {
                    match queue.poll_ending(&mut key, &waker) {
                        Poll::Ready(reason) => return reason,
                        Poll::Pending => bell.wait(),
                    }
                }
            }
        });
        let ender = thread::spawn({
            let queue = Arc::clone(&queue);
            move || end(&queue, DisconnectReason::Shutdown)
        });
        let closed = queue.close().expect("the queue was open");
        closed.wake.into_iter().for_each(Waker::wake);
        assert!(matches!(
            closed.reason,
            DisconnectReason::ClientLeft | DisconnectReason::Shutdown
        ));
        assert_eq!(
            watcher.join().unwrap(),
            closed.reason,
            "the first reason is the only one"
        );
        ender.join().unwrap();
    });
}

#[test]
fn closed_queue_keeps_nothing() {
    loom::model(|| {
        let queue = queue();
        let producer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || (push(&queue, "a"), push(&queue, "b"))
        });
        queue.close();
        let (first, second) = producer.join().unwrap();
        assert!(first || !second, "a closed queue cannot be closed again");
        assert_eq!(queue.lock().waiting(), 0);
        assert_eq!(
            poll(&queue, Waker::noop(), &mut QueueBatch::default()),
            Poll::Ready(false)
        );
    });
}

#[test]
fn stream_is_released_once_by_transport_or_manager() {
    loom::model(|| {
        let queue = queue();
        push(&queue, "a");
        end(&queue, DisconnectReason::Stalled);
        let manager = thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.abandon().map(|closed| closed.reason)
        });
        let transport = queue.close().map(|closed| closed.reason);
        let manager = manager.join().unwrap();
        assert_eq!(transport.xor(manager), Some(DisconnectReason::Stalled));
        assert_eq!(queue.lock().waiting(), 0);
    });
}

#[test]
fn transport_is_woken_on_its_new_task() {
    loom::model(|| {
        let queue = queue();
        // Registered by a task that no longer exists.
        assert_eq!(
            poll(&queue, Waker::noop(), &mut QueueBatch::default()),
            Poll::Pending
        );
        let producer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || push(&queue, "a")
        });
        assert_eq!(consume(&queue, 1).0, ["a"]);
        assert!(producer.join().unwrap());
    });
}
