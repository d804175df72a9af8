//! The end of a reactor.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use sse_core::Manager;
use sse_reactor::{Adoption, Framing, Reactor};

use crate::site::{Client, HEAD, Site};

#[test]
fn abort_resets_current_and_later_streams() {
    let site = Site::new();
    let mut clients = [site.open(), site.open(), site.open()];
    site.reactor.abort();
    clients
        .iter_mut()
        .for_each(|client| assert!(client.is_reset()));
    let (client, server) = site.pair();
    site.adopt(server, ());
    assert!(Client::new(client).is_reset());
    site.until("no open stream", Site::is_empty);
    assert_eq!(
        (
            site.stats().threads,
            site.stats().resets,
            site.stats().adopted
        ),
        (0, 3, 3)
    );
}

#[test]
fn threads_end_with_the_last_stream() {
    let site = Site::new();
    let thread = Arc::new(());
    let alive = Arc::downgrade(&thread);
    let (client, server) = site.pair();
    let reactor = Reactor::builder().start().unwrap();
    let guard = Box::new(thread);
    let session = site.session();
    reactor.adopt(Adoption {
        socket: server,
        head: HEAD.into(),
        framing: Framing::Chunked,
        session,
        guard,
    });
    let mut client = Client::greeted(client);
    drop(reactor);
    site.publish("still");
    assert_eq!(client.next_data(), "still");
    assert_eq!(alive.strong_count(), 1);
    drop(client);
    site.until("the disconnect", |_| alive.strong_count() == 0);
}

/// Adoptions race with the abort. Each stream is served or broken off, and none is forgotten.
#[test]
fn adoption_during_an_abort_is_not_lost() {
    for _ in 0..20 {
        let site = Site::new();
        let guard = Arc::new(());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let (client, server) = site.pair();
                        site.adopt(server, Arc::clone(&guard));
                        drop(client);
                    }
                });
            }
            scope.spawn(|| site.reactor.abort());
        });
        site.until("no open stream", |site| {
            site.is_empty() && Arc::strong_count(&guard) == 1
        });
    }
}

/// A stream that arrives after the end departs when nothing of it is left, as any other stream.
#[test]
fn late_stream_departs_after_its_guard() {
    struct Guard {
        _shared: Arc<()>,
        panics: bool,
    }
    impl Drop for Guard {
        fn drop(&mut self) {
            assert!(!self.panics, "an app's own affair");
        }
    }
    for panics in [false, true] {
        let site = Site::new();
        let shared = Arc::new(());
        let alive = Arc::downgrade(&shared);
        let (departed, departures) = std::sync::mpsc::channel();
        let reactor = Reactor::builder()
            .departed(move || departed.send(alive.strong_count()).unwrap())
            .start()
            .unwrap();
        reactor.abort();
        let (_client, server) = site.pair();
        let session = site.session();
        let adoption = Adoption {
            socket: server,
            head: HEAD.into(),
            framing: Framing::Chunked,
            session,
            guard: Box::new(Guard {
                _shared: shared,
                panics,
            }),
        };
        let adopted = catch_unwind(AssertUnwindSafe(|| reactor.adopt(adoption)));
        assert_eq!(adopted.is_err(), panics);
        assert_eq!(departures.try_recv(), Ok(0));
        assert_eq!(reactor.stats().streams, 0);
    }
}

#[test]
fn runtime_shutdown_closes_reactor_streams() {
    let site = Site::with(Manager::builder(), 2);
    let mut client = site.open();
    let Site {
        manager,
        reactor,
        runtime,
        ..
    } = site;
    runtime.shutdown_background();
    assert!(
        !client.is_reset(),
        "closed, as a task that is dropped closes its socket"
    );
    let start = std::time::Instant::now();
    while (manager.stats().total_connections, reactor.stats().threads) != (0, 0) {
        assert!(start.elapsed() < crate::site::TIMEOUT, "{reactor:?}");
        std::thread::yield_now();
    }
}
