//! Signals to all nodes, outside of the log.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use sse_core::backplane::Signals;
use tokio::time::timeout;

use crate::backplane::{
    Broker,
    harness::start,
    helpers::{PULSE, append, assert_quiet, beginning, head, tail, take, texts},
};

async fn next(signals: &mut Box<dyn Signals>) -> Bytes {
    timeout(PULSE, signals.next())
        .await
        .expect("a signal in time")
        .expect("a signal")
}

/// Returns everything up to a last signal, which must arrive.
async fn until(signals: &mut Box<dyn Signals>, last: &[u8]) -> Vec<Bytes> {
    let mut received = Vec::new();
    loop {
        let signal = next(signals).await;
        if signal == last {
            return received;
        }
        received.push(signal);
    }
}

pub async fn a_signal_reaches_every_node_once<B: Broker>() {
    const SIGNALS: usize = 50;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let nodes = [
        broker.node().await,
        broker.node().await,
        broker.node().await,
    ];
    let mut listeners = Vec::new();
    for node in nodes.iter().chain(&nodes[..1]) {
        listeners.push(node.signals().await.expect("signals"));
    }
    let mut expected = HashSet::new();
    for number in 0..SIGNALS {
        let signal = Bytes::from(format!("signal {number}"));
        nodes[number % nodes.len()]
            .signal(signal.clone())
            .await
            .expect("a signal");
        expected.insert(signal);
    }
    for listener in &mut listeners {
        let mut received = HashSet::new();
        while received.len() < SIGNALS {
            let signal = next(listener).await;
            assert!(received.insert(signal.clone()), "{signal:?} arrived twice");
        }
        assert_eq!(received, expected);
    }
    nodes[0]
        .signal(Bytes::from_static(b"last"))
        .await
        .expect("a signal");
    for listener in &mut listeners {
        assert_eq!(
            until(listener, b"last").await,
            [""; 0],
            "a signal arrived twice"
        );
    }
}

pub async fn a_signal_is_not_in_the_log<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    append(&node, "before").await;
    let before = head(&node).await;
    let mut tail = tail(&node, &beginning(&node).await).await;
    let mut signals = node.signals().await.expect("signals");
    node.signal(Bytes::from_static(b"signal"))
        .await
        .expect("a signal");
    assert_eq!(next(&mut signals).await, "signal");
    assert_eq!(head(&node).await, before);
    append(&node, "after").await;
    assert_eq!(texts(&take(&mut tail, 2).await), ["before", "after"]);
    assert_quiet(&mut tail).await;
    let received = timeout(Duration::from_millis(50), signals.next()).await;
    assert!(
        received.is_err(),
        "an entry was received as a signal: {received:?}"
    );
}

pub async fn earlier_signals_are_not_received<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    let mut early = other.signals().await.expect("signals");
    node.signal(Bytes::from_static(b"before"))
        .await
        .expect("a signal");
    assert_eq!(next(&mut early).await, "before");
    let mut signals = other.signals().await.expect("signals");
    node.signal(Bytes::from_static(b"after"))
        .await
        .expect("a signal");
    assert_eq!(next(&mut signals).await, "after");
    assert_eq!(next(&mut early).await, "after");
}

pub async fn signal_can_have_any_bytes<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    let mut signals = other.signals().await.expect("signals");
    for payload in [
        Bytes::new(),
        Bytes::from_iter(0..=u8::MAX),
        Bytes::from(vec![7; 64 << 10]),
    ] {
        node.signal(payload.clone()).await.expect("a signal");
        assert!(
            next(&mut signals).await == payload,
            "a signal of {} bytes was changed",
            payload.len()
        );
    }
}

pub async fn signal_wait_can_be_dropped_at_any_time<B: Broker>() {
    const SIGNALS: usize = 200;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    let mut signals = other.signals().await.expect("signals");
    let sender = tokio::spawn(async move {
        for number in 0..SIGNALS {
            node.signal(Bytes::from(number.to_string()))
                .await
                .expect("a signal");
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let mut received = HashSet::new();
    for turn in 0_u64.. {
        let wait = if turn % 50 == 49 {
            PULSE
        } else {
            Duration::from_micros(turn * 137 % 3_000)
        };
        if let Ok(signal) = timeout(wait, signals.next()).await {
            assert!(
                received.insert(signal.expect("a signal")),
                "a signal arrived twice"
            );
        } else {
            assert!(
                wait < PULSE,
                "only {} of {SIGNALS} signals arrived",
                received.len()
            );
        }
        if received.len() == SIGNALS {
            break;
        }
    }
    sender.await.expect("the sender");
}

pub async fn unreceived_signal_is_not_an_error<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    broker
        .node()
        .await
        .signal(Bytes::from_static(b"signal"))
        .await
        .expect("a signal");
}
