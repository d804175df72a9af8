//! Very many streams, with many arrivals and departures.

use std::{
    io::Read,
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sse_core::{DisconnectOptions, Manager, Target};

use crate::site::{Site, TIMEOUT};

/// Returns the number of streams that the limit of open files allows, at most `streams`, with both
/// ends in this process.
fn room_for(streams: usize) -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
    .unwrap();
    let files = maximum.map_or(usize::MAX, |files| usize::try_from(files).unwrap());
    // Other tests run at the same time.
    streams.min(files.saturating_sub(2000) / 2)
}

fn read_until(client: &mut TcpStream, needle: &[u8]) {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while !all.windows(needle.len()).any(|window| window == needle) {
        let count = client.read(&mut buffer).unwrap();
        assert!(
            count > 0,
            "the end, before {:?}",
            String::from_utf8_lossy(needle)
        );
        all.extend_from_slice(&buffer[..count]);
    }
}

fn open(site: &Site) -> TcpStream {
    let (client, server) = site.pair();
    site.adopt(server, ());
    client
}

fn serve_many(count: usize) {
    let site = Site::with(Manager::builder(), 2);
    let mut clients: Vec<_> = (0..count).map(|_| open(&site)).collect();
    site.until("all streams are adopted", |site| {
        site.stats().adopted == count as u64
    });
    assert_eq!(site.stats().streams, count);
    for round in 0..3 {
        site.publish(format!("round {round}."));
    }
    clients
        .iter_mut()
        .for_each(|client| read_until(client, b"round 2."));
    // Half of the clients disconnect, and as many new ones connect.
    clients.truncate(count / 2);
    site.until("half", |site| site.stats().streams == count / 2);
    clients.extend((count / 2..count).map(|_| open(&site)));
    site.until("all again", |site| {
        site.stats().adopted == (count + count - count / 2) as u64
    });
    site.publish("once more.");
    clients
        .iter_mut()
        .for_each(|client| read_until(client, b"once more."));
    site.runtime.block_on(
        site.manager
            .disconnect(Target::All, DisconnectOptions::new()),
    );
    clients
        .iter_mut()
        .for_each(|client| read_until(client, b"0\r\n\r\n"));
    site.until("no open stream", Site::is_empty);
    let stats = site.stats();
    assert_eq!(
        (stats.failed, stats.resets, stats.panics, stats.blocked),
        (0, 0, 0, 0)
    );
}

#[test]
fn two_thousand_streams_get_everything() {
    serve_many(room_for(2000));
}

/// Run with `cargo test -p sse-reactor -- --ignored`. The number of streams is half of the limit of
/// open files, because both ends are in this process. `load run` has 19,000 streams from another
/// process.
#[test]
#[ignore = "takes its time, and all files"]
fn as_many_streams_as_there_are_files_get_everything() {
    serve_many(room_for(19_000));
}

#[test]
fn connection_storm_leaves_nothing() {
    let site = Site::with(Manager::builder(), 2);
    let guard = Arc::new(());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (site, guard) = (&site, &guard);
            scope.spawn(move || {
                for round in 0..250 {
                    let (client, server) = site.pair();
                    site.adopt(server, Arc::clone(guard));
                    match (thread + round) % 3 {
                        0 => drop(client),
                        1 => crate::site::Client::new(client).reset(),
                        _ => drop(crate::site::Client::greeted(client)),
                    }
                    if round % 10 == 0 {
                        site.publish("x");
                    }
                }
            });
        }
    });
    site.until("no open stream", |site| {
        site.is_empty() && Arc::strong_count(&guard) == 1
    });
    let stats = site.stats();
    assert_eq!(
        (stats.adopted, stats.failed, stats.panics, stats.blocked),
        (1000, 0, 0, 0)
    );
}

#[test]
fn streams_are_spread_over_the_threads() {
    let site = Site::with(Manager::builder(), 4);
    let clients: Vec<_> = (0..40).map(|_| site.open()).collect();
    let busy = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            threads.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names
            .filter(|name| name.starts_with("sse-reactor-"))
            .count()
    };
    assert!(cfg!(not(target_os = "linux")) || busy() >= 4);
    assert_eq!(site.stats().streams, 40);
    drop(clients);
    site.until("no open stream", Site::is_empty);
}

/// One busy client is served, and then the others are served.
#[test]
fn flood_to_one_stream_does_not_delay_another() {
    let site = Site::with(Manager::builder().queue(1 << 14, 1 << 30), 1);
    let mut quiet = site.open();
    let busy = site.open();
    let reader = std::thread::spawn(move || {
        let mut socket = busy.socket;
        let mut buffer = vec![0; 1 << 16];
        while socket.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    let busiest = site
        .manager
        .connections(&sse_core::connections::ConnectionQuery::first(2))
        .items[1]
        .client_id;
    for _ in 0..1000 {
        site.publish_to(Target::Client(busiest), "x".repeat(60 << 10));
    }
    let start = Instant::now();
    let other = site
        .manager
        .connections(&sse_core::connections::ConnectionQuery::first(1))
        .items[0]
        .client_id;
    site.publish_to(Target::Client(other), "soon");
    assert_eq!(quiet.next_data(), "soon");
    assert!(start.elapsed() < TIMEOUT + Duration::from_secs(1));
    site.reactor.abort();
    reader.join().unwrap();
}
