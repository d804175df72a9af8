//! Standalone event streams.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Wake, Waker},
    time::Duration,
};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use sse_core::{
    Event, EventStream, EventType, IntoEvent,
    dialect::EventHeartbeat,
    event::{EventError, Payload},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

fn channel() -> (mpsc::Sender<Event>, impl Stream<Item = Event> + Unpin) {
    let (sender, mut receiver) = mpsc::channel(16);
    (sender, stream::poll_fn(move |cx| receiver.poll_recv(cx)))
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8(bytes.as_ref().to_vec()).unwrap()
}

async fn next<S: Stream<Item: sse_core::EventItem> + Unpin>(body: &mut EventStream<S>) -> String {
    text(body.next().await.unwrap().unwrap())
}

#[tokio::test]
async fn ready_events_leave_together_before_the_end() {
    let mut body = EventStream::new(stream::iter(["a", "b\nc"]).map(Event::text));
    assert_eq!(next(&mut body).await, "data: a\n\ndata: b\ndata: c\n\n");
    assert!(body.next().await.is_none());
    assert!(body.next().await.is_none(), "the stream is fused");
}

#[tokio::test]
async fn error_follows_earlier_events_and_ends_the_stream() {
    let items = [
        Ok(Event::text("a")),
        Err(io::Error::other("the model is unavailable")),
        Ok(Event::text("never")),
    ];
    let mut body = EventStream::new(stream::iter(items));
    assert_eq!(next(&mut body).await, "data: a\n\n");
    assert_eq!(
        body.next().await.unwrap().unwrap_err().to_string(),
        "the model is unavailable"
    );
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn unserializable_data_is_an_error() {
    struct Broken;
    impl serde::Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    impl Payload for Broken {
        const EVENT: EventType = EventType::from_static("broken");
    }
    let mut body = EventStream::new(stream::iter([&Broken]));
    let error = body.next().await.unwrap().unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(EventError::Json(_))),
        "{error:?}"
    );
    // The same if the app creates the event.
    let mut body = EventStream::new(stream::iter([Broken]).map(|item| (&item).into_event()));
    body.next().await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn quiet_stream_gets_heartbeats_that_events_postpone() {
    let (sender, events) = channel();
    let mut body = EventStream::new(events);
    let start = Instant::now();
    for beat in 1..=3 {
        assert_eq!(next(&mut body).await, ": heartbeat\n");
        assert_eq!(start.elapsed(), Duration::from_secs(15) * beat);
    }
    tokio::spawn(async move {
        for _ in 0..4 {
            sleep(Duration::from_secs(14)).await;
            sender.send(Event::text("x")).await.unwrap();
        }
        sleep(Duration::from_secs(60)).await;
    });
    for _ in 0..4 {
        assert_eq!(next(&mut body).await, "data: x\n\n");
    }
    let quiet = Instant::now();
    assert_eq!(next(&mut body).await, ": heartbeat\n");
    assert_eq!(quiet.elapsed(), Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn app_chooses_the_heartbeats() {
    let (_sender, events) = channel();
    let minute = Duration::from_secs(60);
    let mut body = EventStream::new(events)
        .heartbeat(EventHeartbeat)
        .heartbeat_interval(minute);
    let start = Instant::now();
    assert!(
        next(&mut body)
            .await
            .starts_with("event: heartbeat\ndata: {")
    );
    assert_eq!(start.elapsed(), minute);

    let (_sender, events) = channel();
    let mut silent = EventStream::new(events).without_heartbeat();
    assert!(
        tokio::time::timeout(minute * 1000, silent.next())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn interval_beyond_the_clock_does_not_panic() {
    let (_sender, events) = channel();
    let mut body = EventStream::new(events).heartbeat_interval(Duration::MAX);
    assert!(body.next().now_or_never().is_none());
}

#[tokio::test]
async fn always_ready_stream_lets_others_run() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let wakes = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&wakes));
    let mut nothing = EventStream::new(stream::repeat_with(Event::empty));
    assert!(
        nothing
            .poll_next_unpin(&mut std::task::Context::from_waker(&waker))
            .is_pending()
    );
    assert_eq!(
        wakes.0.load(Ordering::Relaxed),
        1,
        "the stream continues after the others"
    );

    let mut endless = EventStream::new(stream::repeat_with(|| {
        Ok::<_, Infallible>(Event::text("x"))
    }));
    let Poll::Ready(Some(Ok(buffer))) =
        endless.poll_next_unpin(&mut std::task::Context::from_waker(&waker))
    else {
        panic!("events are ready");
    };
    assert_eq!(text(buffer), "data: x\n\n".repeat(256));
}

#[tokio::test]
async fn buffer_is_bounded_and_large_event_stays_whole() {
    let large = "x".repeat(100 << 10);
    let mut body =
        EventStream::new(stream::iter([large.clone(), large.clone(), "y".into()]).map(Event::text));
    assert_eq!(next(&mut body).await, format!("data: {large}\n\n"));
    assert_eq!(next(&mut body).await, format!("data: {large}\n\n"));
    assert_eq!(next(&mut body).await, "data: y\n\n");
}
