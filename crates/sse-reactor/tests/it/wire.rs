//! The bytes that a client reads.

use std::io::Read;

use proptest::prelude::*;
use sse_core::{DisconnectOptions, Target};
use sse_reactor::Framing;
use sse_testkit::Decoder;

use crate::site::{Client, HEAD, MORE_THAN_FITS, Site};

#[test]
fn a_stream_has_its_head_its_events_and_a_clean_end() {
    let site = Site::new();
    let mut client = site.open();
    site.publish("one");
    assert_eq!(client.next_data(), "one");
    site.publish("two\nlines");
    site.publish("three");
    assert_eq!(
        (client.next_data(), client.next_data()),
        ("two\nlines".into(), "three".into())
    );
    site.runtime.block_on(
        site.manager
            .disconnect(Target::All, DisconnectOptions::new()),
    );
    let rest = client.rest();
    assert_eq!(rest.len(), 1);
    assert!(rest[0].data.contains("disconnected"), "{rest:?}");
    site.until("no open stream", Site::is_empty);
    let stats = site.stats();
    assert_eq!(
        (stats.adopted, stats.failed, stats.resets, stats.panics),
        (1, 0, 0, 0)
    );
}

#[test]
fn unchunked_stream_ends_with_the_connection() {
    const OLD: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";
    let site = Site::new();
    let (mut client, server) = site.pair();
    site.adopt_with(server, OLD, Framing::UntilClose, site.session(), ());
    site.publish("bare");
    site.runtime.block_on(
        site.manager
            .disconnect(Target::All, DisconnectOptions::new()),
    );
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    let events = Decoder::decode(all.strip_prefix(OLD).unwrap());
    let types: Vec<_> = events.iter().map(|event| &*event.event_type).collect();
    assert_eq!(types, ["connection", "message", "system"]);
    let bytes = site.manager.stats().counters.bytes;
    assert_eq!(
        site.stats().bytes,
        OLD.len() as u64 + bytes,
        "all are counted"
    );
}

#[test]
fn session_ended_before_adoption_sends_its_reason() {
    let site = Site::new();
    let (client, server) = site.pair();
    let session = site.session();
    site.runtime.block_on(
        site.manager
            .disconnect(Target::All, DisconnectOptions::new()),
    );
    site.adopt_with(server, HEAD, Framing::Chunked, session, ());
    let types: Vec<_> = Client::new(client)
        .rest()
        .into_iter()
        .map(|event| event.event_type)
        .collect();
    assert_eq!(types, ["connection", "system"]);
    site.until("no open stream", Site::is_empty);
}

#[test]
fn partially_written_head_arrives_whole() {
    let head: &'static [u8] = [
        HEAD[..17].to_vec(),
        b"x: ".to_vec(),
        vec![b'y'; MORE_THAN_FITS],
        b"\r\n\r\n".to_vec(),
    ]
    .concat()
    .leak();
    let site = Site::new();
    let (mut client, server) = site.narrow_pair();
    site.adopt_with(server, head, Framing::Chunked, site.session(), ());
    site.until("blocked", |site| site.stats().blocked == 1);
    let mut read = vec![0; head.len()];
    client.read_exact(&mut read).unwrap();
    assert!(read == head);
    site.until("not blocked", |site| site.stats().blocked == 0);
}

#[test]
fn a_client_that_reads_byte_by_byte_reads_the_same() {
    let site = Site::new();
    let mut client = site.open_narrow();
    let texts: Vec<_> = (0..20)
        .map(|number| format!("{number} {}", "x".repeat(200)))
        .collect();
    texts.iter().for_each(|text| site.publish(text));
    for text in &texts {
        assert_eq!(client.next_by(1).data, *text);
    }
}

#[test]
fn event_larger_than_all_buffers_arrives_whole() {
    let site = Site::with(sse_core::Manager::builder().queue(64, 8 << 20), 1);
    let (client, server) = site.pair_with(64 << 10, 4096);
    site.adopt(server, ());
    let mut client = Client::new(client);
    let texts: Vec<_> = (0..3)
        .map(|number| number.to_string().repeat(300 << 10))
        .collect();
    texts.iter().for_each(|text| site.publish(text));
    assert_eq!(client.next().event_type, "connection");
    texts
        .iter()
        .for_each(|text| assert!(client.next_data() == *text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Events of any lengths, bursts of any sizes, sockets and reads of any sizes: the client reads
    /// exactly the published events.
    #[test]
    fn every_stream_is_read_as_it_was_published(
        bursts in prop::collection::vec(prop::collection::vec(1_usize..4000, 1..40), 1..4),
        send_buffer in 1_usize..32 << 10,
        receive_buffer in 8_usize << 10..64 << 10,
        reads in prop::collection::vec(1_usize..8 << 10, 1..8),
    ) {
        let site = Site::with(sse_core::Manager::builder().queue(1024, 16 << 20), 1);
        let (client, server) = site.pair_with(receive_buffer, send_buffer);
        site.adopt(server, ());
        let mut client = Client::new(client);
        prop_assert_eq!(client.next().event_type, "connection");
        let mut sizes = reads.iter().copied().cycle();
        for burst in bursts {
            let texts: Vec<_> = burst.iter().enumerate().map(|(number, length)| format!("{number} {}", "z".repeat(*length))).collect();
            texts.iter().for_each(|text| site.publish(text));
            for text in texts {
                let event = client.next_by(sizes.next().unwrap());
                prop_assert!(event.data == text);
            }
        }
        site.runtime.block_on(site.manager.disconnect(Target::All, DisconnectOptions::new()));
        prop_assert_eq!(client.rest().len(), 1);
    }
}
