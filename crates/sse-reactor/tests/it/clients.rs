//! Clients that disconnect, or send unexpected bytes.

use sse_core::Manager;

use crate::site::Site;

fn left(site: &Site) -> u64 {
    site.manager
        .stats()
        .counters
        .disconnected
        .get("client_left")
}

#[test]
fn every_kind_of_close_is_detected_immediately() {
    let site = Site::new();
    drop(site.open());
    site.until("a client that closed", |site| {
        left(site) == 1 && site.is_empty()
    });
    site.open().reset();
    site.until("a client that reset", |site| {
        left(site) == 2 && site.is_empty()
    });
    let half = site.open();
    half.half_close();
    site.until("a client that closed its half", |site| {
        left(site) == 3 && site.is_empty()
    });
    drop(half);
}

#[test]
fn four_kib_after_the_request_are_discarded() {
    let site = Site::new();
    let mut client = site.open();
    client.send(&[b'x'; 4096]);
    site.publish("still there");
    assert_eq!(client.next_data(), "still there");
    for _ in 0..100 {
        site.publish("and there");
        assert_eq!(client.next_data(), "and there");
    }
    client.send(b"y");
    site.until("the disconnect", |site| left(site) == 1 && site.is_empty());
}

#[test]
fn flooding_client_is_closed() {
    let site = Site::new();
    let mut client = site.open();
    client.send(&[b'x'; 4097]);
    site.until("the disconnect", |site| left(site) == 1 && site.is_empty());
    let mut client = site.open();
    while std::io::Write::write_all(&mut client.socket, &[b'x'; 1 << 16]).is_ok() {}
    site.until("the disconnect", |site| left(site) == 2 && site.is_empty());
}

#[test]
fn client_gone_before_adoption_leaves_nothing() {
    let site = Site::new();
    for reset in [false, true] {
        let (client, server) = site.pair();
        let client = crate::site::Client::new(client);
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        site.adopt(server, ());
    }
    site.until("the disconnect", |site| left(site) == 2 && site.is_empty());
}

/// Either the write fails, or the read reports the end first.
#[test]
fn disconnect_during_a_write_affects_nobody_else() {
    let site = Site::with(Manager::builder(), 1);
    let mut stays = site.open();
    for round in 0..200 {
        let goes = site.open();
        let publisher = std::thread::spawn({
            let (manager, runtime) = (site.manager.clone(), site.runtime.handle().clone());
            move || {
                runtime
                    .block_on(manager.all().publish(sse_core::Event::text("x")))
                    .unwrap()
            }
        });
        if round % 2 == 0 {
            goes.reset();
        } else {
            drop(goes);
        }
        publisher.join().unwrap();
        assert_eq!(stays.next_data(), "x");
    }
    site.until("one is left", |site| {
        site.stats().streams == 1 && left(site) == 200
    });
}
