//! Wakes that arrive late, in vain, or from many threads.

use sse_core::{Event, Handshake, Manager};

use crate::site::{Client, HEAD, Site};

#[test]
fn wakes_from_many_threads_lose_nothing() {
    const THREADS: usize = 4;
    const EVENTS: usize = 250;
    let site = Site::with(Manager::builder().queue(1 << 12, 64 << 20), 2);
    let mut clients: Vec<_> = (0..16).map(|_| site.open()).collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (manager, runtime) = (site.manager.clone(), site.runtime.handle().clone());
            scope.spawn(move || {
                for number in 0..EVENTS {
                    let event = Event::text(format!("{thread} {number}"));
                    runtime.block_on(manager.all().publish(event)).unwrap();
                }
            });
        }
    });
    let mut orders: Vec<Vec<String>> = Vec::new();
    for client in &mut clients {
        orders.push((0..THREADS * EVENTS).map(|_| client.next_data()).collect());
    }
    assert!(
        orders.iter().all(|order| *order == orders[0]),
        "one order for all"
    );
    for thread in 0..THREADS {
        let own = orders[0]
            .iter()
            .filter_map(|data| data.strip_prefix(&format!("{thread} ")));
        assert!(
            own.map(|number| number.parse::<usize>().unwrap())
                .eq(0..EVENTS)
        );
    }
}

/// A stream is written to while it departs, and the next stream takes its slot, so that its wakes
/// arrive late.
#[test]
fn late_wake_reaches_no_other_stream() {
    // Regardless of the publisher's lead, no stream loses an event.
    let site = Site::with(Manager::builder().queue(1 << 20, 1 << 30), 1);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                site.publish("for everybody");
            }
        });
        for number in 0..300 {
            let user = format!("user {number}");
            let (client, server) = site.pair();
            let session = {
                let _entered = site.runtime.enter();
                site.manager.connect(Handshake::new().user(&*user)).unwrap()
            };
            site.adopt_with(server, HEAD, sse_reactor::Framing::Chunked, session, ());
            let mut client = Client::new(client);
            let hello = client.next();
            assert!(hello.data.contains(&user), "{hello:?}");
            assert_eq!(client.next_data(), "for everybody");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    site.until("no open stream", Site::is_empty);
}
