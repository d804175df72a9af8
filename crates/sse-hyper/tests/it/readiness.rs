//! Services that are not always ready.

use std::{
    future::{IntoFuture, Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use http::Request;
use hyper::body::Incoming;
use sse_testkit::{RawRequest, request};
use tokio::net::TcpListener;
use tower_service::Service;

use crate::app::{Reply, TIMEOUT, whole};

/// The readiness that the service reports when it is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Busy,
    Ready,
    Broken,
}

#[derive(Clone)]
struct Moody(Arc<Mutex<State>>);

struct State {
    mood: Mood,
    asked: usize,
    waker: Option<Waker>,
}

impl Moody {
    fn new(mood: Mood) -> Self {
        Self(Arc::new(Mutex::new(State {
            mood,
            asked: 0,
            waker: None,
        })))
    }

    fn becomes(&self, mood: Mood) {
        let mut state = self.0.lock().unwrap();
        state.mood = mood;
        state.waker.take().unwrap().wake();
    }

    async fn asked(&self, times: usize) {
        let asked = async {
            while self.0.lock().unwrap().asked < times {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(TIMEOUT, asked).await.unwrap();
    }

    async fn serve(&self) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(sse_hyper::serve(listener, self.clone()).into_future());
        address
    }
}

#[derive(Debug, thiserror::Error)]
#[error("broken")]
struct Broken;

impl Service<Request<Incoming>> for Moody {
    type Response = Reply;
    type Error = Broken;
    type Future = Ready<Result<Reply, Broken>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut state = self.0.lock().unwrap();
        state.asked += 1;
        match state.mood {
            Mood::Ready => Poll::Ready(Ok(())),
            Mood::Broken => Poll::Ready(Err(Broken)),
            Mood::Busy => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        assert_eq!(
            self.0.lock().unwrap().mood,
            Mood::Ready,
            "called before it was ready"
        );
        ready(Ok(whole("at last")))
    }
}

#[tokio::test]
async fn a_request_waits_until_the_service_is_ready() {
    let service = Moody::new(Mood::Busy);
    let mut client = RawRequest::get(service.serve().await, "/")
        .send()
        .await
        .unwrap();
    service.asked(2).await;
    service.becomes(Mood::Ready);
    let head = tokio::time::timeout(TIMEOUT, client.head())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_meanwhile_is_not_served() {
    let service = Moody::new(Mood::Busy);
    let client = RawRequest::get(service.serve().await, "/")
        .send()
        .await
        .unwrap();
    service.asked(2).await;
    client.reset().unwrap();
    let disconnected = async {
        while Arc::strong_count(&service.0) > 2 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, disconnected).await.unwrap();
}

#[tokio::test]
async fn failed_service_is_not_polled_again() {
    let service = Moody::new(Mood::Broken);
    let address = service.serve().await;
    request(address, "GET", "/", &[], "").await.unwrap_err();
    assert_eq!(service.0.lock().unwrap().asked, 1);
    service.0.lock().unwrap().mood = Mood::Ready;
    assert_eq!(
        request(address, "GET", "/", &[], "").await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn failure_during_a_request_closes_the_connection() {
    let service = Moody::new(Mood::Busy);
    let mut client = RawRequest::get(service.serve().await, "/")
        .send()
        .await
        .unwrap();
    service.asked(2).await;
    service.becomes(Mood::Broken);
    tokio::time::timeout(TIMEOUT, client.head())
        .await
        .unwrap()
        .unwrap_err();
}
