//! Clients that take nothing.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use sse_core::{
    DisconnectOptions, DisconnectReason, Event, Handshake, Manager, ManagerBuilder,
    ShutdownOptions, Target,
    config::Overflow,
    connections::{Connection, ConnectionQuery},
    dialect::{Dialect, Farewell, FrameWriter, Hello},
};
use sse_reactor::Framing;

use crate::site::{Client, HEAD, MORE_THAN_FITS, Site};

const SOON: Duration = Duration::from_millis(300);

/// Timeout for a thread that must act, on a busy machine.
const ENOUGH: Duration = Duration::from_secs(3);

const NEVER: Duration = Duration::from_secs(3600);

fn queued() -> ManagerBuilder {
    Manager::builder().queue(64, 64 << 20)
}

/// Blocks the client's stream with more bytes than the system ever takes.
fn block(site: &Site) {
    site.publish("x".repeat(MORE_THAN_FITS));
    site.until("blocked", |site| site.stats().blocked == 1);
    site.publish("waits");
}

fn listed(site: &Site) -> Connection {
    site.manager
        .connections(&ConnectionQuery::first(1))
        .items
        .remove(0)
}

fn ended(site: &Site, reason: DisconnectReason) -> bool {
    site.manager
        .stats()
        .counters
        .disconnected
        .get(reason.as_str())
        == 1
}

#[test]
fn blocked_client_holds_one_batch_and_blocks_nobody() {
    let site = Site::with(queued(), 1);
    let mut slow = site.open_narrow();
    block(&site);
    let mut fast = site.open();
    for number in 0..20 {
        site.publish(number.to_string());
        assert_eq!(fast.next_data(), number.to_string());
    }
    assert!(
        listed(&site).waiting >= 20,
        "it waits in the queue that has a bound: {:?}",
        listed(&site)
    );
    assert_eq!(site.stats().blocked, 1, "its own event is not written yet");
    while slow.next_data() != "19" {}
    site.until("no stream waits", |site| {
        site.stats().blocked == 0 && listed(site).waiting == 0
    });
    site.publish("goes on");
    assert_eq!(slow.next_data(), "goes on");
}

#[test]
fn stalled_client_is_reset_immediately() {
    let site = Site::with(queued().connection_timeout(ENOUGH), 1);
    let mut slow = site.open_narrow();
    block(&site);
    site.until("stalled", |site| {
        ended(site, DisconnectReason::Stalled) && site.is_empty()
    });
    assert!(slow.is_reset());
    assert_eq!((site.stats().resets, site.stats().blocked), (1, 0));
}

#[test]
fn a_full_queue_ends_its_stream_after_the_linger() {
    let site = Site::lingering(Manager::builder().queue(4, 64 << 20), 1, SOON);
    let mut slow = site.open_narrow();
    block(&site);
    (0..8).for_each(|_| site.publish("too much"));
    site.until("over", |site| {
        ended(site, DisconnectReason::Overflow) && site.is_empty()
    });
    assert!(slow.is_reset());
}

#[test]
fn client_that_drains_in_time_ends_cleanly() {
    let site = Site::lingering(queued(), 1, NEVER);
    let mut slow = site.open_narrow();
    block(&site);
    site.runtime.block_on(
        site.manager
            .disconnect(Target::All, DisconnectOptions::new()),
    );
    let rest = slow.rest();
    assert_eq!(rest[rest.len() - 2].data, "waits");
    assert_eq!(rest[rest.len() - 1].event_type, "system");
    site.until("no open stream", Site::is_empty);
    assert_eq!(site.stats().resets, 0);
}

#[test]
fn client_receives_a_gap_for_each_loss() {
    let site = Site::with(
        Manager::builder()
            .queue(4, 64 << 20)
            .overflow(Overflow::DropOldest),
        1,
    );
    let mut slow = site.open_narrow();
    block(&site);
    (0..8).for_each(|number| site.publish(number.to_string()));
    let (mut came, mut lost) = (0, 0);
    loop {
        let event = slow.next();
        if let Some((_, dropped)) = event.data.split_once(r#""dropped":"#) {
            let digits = dropped
                .split(|letter: char| !letter.is_ascii_digit())
                .next()
                .unwrap();
            lost += digits.parse::<u64>().unwrap();
        }
        came += u64::from(event.event_type == "message");
        if event.data == "7" {
            break;
        }
    }
    assert!(lost > 0);
    assert_eq!(came + lost, site.manager.stats().counters.published);
}

#[test]
fn drain_waits_and_then_resets_the_rest() {
    let site = Site::lingering(queued(), 2, NEVER);
    let mut slow = site.open_narrow();
    block(&site);
    let mut fast = site.open();
    let drained = site
        .runtime
        .block_on(site.manager.shutdown(ShutdownOptions::within(ENOUGH)));
    assert_eq!((drained.ended, drained.left), (2, 1));
    assert_eq!(fast.rest().len(), 1);
    site.reactor.abort();
    assert!(slow.is_reset());
    site.until("no open stream", |site| site.stats().streams == 0);
    assert_eq!(site.stats().threads, 0);
}

/// A dialect whose last block is too long for any client to take unread.
#[derive(Debug)]
struct Verbose;

impl Dialect for Verbose {
    fn name(&self) -> &'static str {
        "verbose"
    }

    fn hello(&self, hello: &Hello, out: &mut FrameWriter) {
        out.event(&hello.to_event());
    }

    fn event(&self, event: &Event, out: &mut FrameWriter) {
        out.event(event);
    }

    fn heartbeat(&self, beat: &Event, out: &mut FrameWriter) {
        out.event(beat);
    }

    fn end(&self, _: &Farewell, out: &mut FrameWriter) {
        out.event(&Event::text("x".repeat(MORE_THAN_FITS)));
    }
}

/// The stream is over and its end is written, but the client takes only a part of it.
#[test]
fn remainder_of_an_ended_stream_has_a_deadline() {
    let site = Site::lingering(queued(), 1, SOON);
    let guard = Arc::new(());
    let alive: Weak<()> = Arc::downgrade(&guard);
    let (client, server) = site.narrow_pair();
    let session = {
        let _entered = site.runtime.enter();
        site.manager
            .connect(Handshake::new().dialect(Arc::new(Verbose)))
            .unwrap()
    };
    site.adopt_with(server, HEAD, Framing::Chunked, session, guard);
    let mut slow = Client::greeted(client);
    site.runtime.block_on(
        site.manager
            .disconnect(Target::All, DisconnectOptions::new()),
    );
    site.until("over", |site| {
        ended(site, DisconnectReason::Kicked) && site.is_empty()
    });
    assert!(slow.is_reset());
    assert_eq!((site.stats().resets, site.stats().blocked), (1, 0));
    site.until("the guard is dropped", |_| alive.strong_count() == 0);
}
