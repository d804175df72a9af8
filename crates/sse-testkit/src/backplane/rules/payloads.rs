//! The payloads of entries.

use bytes::Bytes;
use sse_core::backplane::{Entry, NewEntry};

use crate::backplane::{
    Broker,
    harness::start,
    helpers::{beginning, read_all, tail, take, try_append},
};

fn payloads() -> Vec<Bytes> {
    vec![
        Bytes::new(),
        Bytes::from_iter(0..=u8::MAX),
        Bytes::from_static(b"\0"),
        Bytes::from_static(b"\r\n\r\n"),
        Bytes::from_static("žluťoučký kůň".as_bytes()),
        Bytes::from(vec![0; 4096]),
        Bytes::from_iter(
            (0..1_u32 << 20).map(|at| u8::try_from(at * 31 % 251).expect("less than 251")),
        ),
        Bytes::new(),
    ]
}

pub async fn payloads_are_returned_unchanged<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (writer, reader) = (broker.node().await, broker.node().await);
    let start = beginning(&reader).await;
    let mut live = tail(&reader, &start).await;
    for (at, payload) in payloads().into_iter().enumerate() {
        let key = (at % 2 == 0).then(|| at.to_string().as_str().try_into().expect("a key"));
        try_append(&writer, NewEntry { payload, key })
            .await
            .expect("an append");
    }
    let expected = payloads();
    let mut late = tail(&reader, &start).await;
    for entries in [
        take(&mut live, expected.len()).await,
        take(&mut late, expected.len()).await,
        read_all(&reader, &start).await,
    ] {
        let came: Vec<_> = entries
            .into_iter()
            .map(|Entry { payload, .. }| payload)
            .collect();
        let sizes = |payloads: &[Bytes]| payloads.iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!(sizes(&came), sizes(&expected));
        assert!(came == expected, "a payload was changed");
    }
}

pub async fn large_entries_come_through_a_tail<B: Broker>() {
    const LARGE: usize = 24;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (writer, reader) = (broker.node().await, broker.node().await);
    let mut live = tail(&reader, &beginning(&reader).await).await;
    let writer = tokio::spawn(async move {
        for number in 0..LARGE {
            let payload = Bytes::from(vec![u8::try_from(number).expect("a small number"); 1 << 20]);
            try_append(&writer, NewEntry { payload, key: None })
                .await
                .expect("an append");
        }
    });
    for (number, entry) in take(&mut live, LARGE).await.iter().enumerate() {
        assert_eq!(entry.payload.len(), 1 << 20);
        assert!(
            entry
                .payload
                .iter()
                .all(|byte| usize::from(*byte) == number),
            "entry {number} is changed"
        );
    }
    writer.await.expect("the writer");
}
