//! The cost of the reactor's bookkeeping, in this process, without sockets: its memory for a stream
//! in addition to the session, the time of a wake and a poll, and the gain of a second thread.
//!
//! Not measured by criterion: each size is created once, and its lines are medians of rounds.
//! `cargo bench -p benches --bench reactor`

#[path = "src/memory.rs"]
#[expect(dead_code, reason = "this bench counts bytes, and no allocations")]
mod memory;
#[path = "src/population.rs"]
#[expect(dead_code, reason = "this bench polls no session itself")]
mod population;

use std::{
    thread,
    time::{Duration, Instant},
};

use benches::{
    lines::{Samples, line},
    scale::Scale,
};
use sse_core::{Event, EventType, Manager, Target};
use sse_reactor::bench_support::Bookkeeping;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::population::{Population, user};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Number of publishes to one user that are timed together.
const SINGLES: usize = 256;

fn main() {
    let scale = Scale::from_args();
    if !scale.measures() {
        return;
    }
    for size in scale.pick(vec![1_000, 10_000, 100_000, 1_000_000], vec![1_000]) {
        let rounds = scale.pick(3_000_000 / size + 7, 1);
        for threads in [1, 2] {
            let mut site = Site::new(size, threads);
            broadcasts(&mut site, rounds);
            if threads == 1 {
                singles(&mut site, rounds.min(50));
            }
        }
    }
}

/// Streams, distributed over threads.
struct Site {
    population: Population,
    size: usize,
    threads: Vec<Bookkeeping>,
}

impl Site {
    fn new(size: usize, threads: usize) -> Self {
        let mut population = Population::new(Manager::builder(), size);
        let sessions = std::mem::take(&mut population.sessions);
        let mut threads: Vec<_> = (0..threads)
            .map(|_| Bookkeeping::new().expect("open files below the limit"))
            .collect();
        let (allocated, resident) = (memory::allocated(), memory::resident());
        let count = threads.len();
        for (number, session) in sessions.into_iter().enumerate() {
            threads[number % count].adopt(session);
        }
        if count == 1 {
            let each = |now: usize, before: usize| now.saturating_sub(before) as f64 / size as f64;
            let name = format!("memory of a stream of {size} in addition to its session");
            // The list of sessions, which was freed, held the sessions by value, as the connections
            // do now. So their size is added.
            let listed = size_of::<sse_core::Session>() as f64;
            line(
                &name,
                format_args!("{:.0}", each(memory::allocated(), allocated) + listed),
                "bytes",
            );
            if let (Some(before), Some(now)) = (resident, memory::resident()) {
                line(
                    &format!("{name}, resident"),
                    format_args!("{:.0}", each(now, before) + listed),
                    "bytes",
                );
            }
        }
        Self {
            population,
            size,
            threads,
        }
    }

    /// Polls all streams that were woken, each on its thread. Returns the time that it took, and
    /// the number of polled streams.
    fn turns(&mut self) -> (Duration, usize) {
        let start = Instant::now();
        let turns = match &mut self.threads[..] {
            [only] => only.turns(),
            many => thread::scope(|scope| {
                let running: Vec<_> = many
                    .iter_mut()
                    .map(|one| scope.spawn(|| one.turns()))
                    .collect();
                running
                    .into_iter()
                    .map(|one| one.join().expect("no turn panics"))
                    .sum()
            }),
        };
        (start.elapsed(), turns)
    }
}

fn event() -> Event {
    const DATA: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    Event::text(DATA).with_event_type(EventType::NOTIFICATION)
}

fn broadcasts(site: &mut Site, rounds: usize) {
    let size = site.size;
    let [mut publishing, mut turning] = [(); 2].map(|()| Samples::default());
    for _ in 0..rounds {
        let before: u64 = site.threads.iter().map(Bookkeeping::bytes).sum();
        let start = Instant::now();
        assert_eq!(site.population.publish(Target::All, event()), size);
        publishing.push_nanos(start.elapsed());
        let (elapsed, turns) = site.turns();
        turning.push_nanos(elapsed);
        assert_eq!(turns, size, "each was woken once");
        let written = site.threads.iter().map(Bookkeeping::bytes).sum::<u64>() - before;
        assert!(written >= 64 * size as u64, "{written} bytes for {size}");
    }
    let threads = site.threads.len();
    for (what, samples) in [("publish and wake", publishing), ("turns", turning)] {
        let name = format!("broadcast to {size} on {threads} threads, {what}");
        line(
            &name,
            format_args!("{:.1}", samples.median() / size as f64),
            "ns per stream",
        );
    }
}

/// Measures publishes to one user, another each time: the publish, the wake and the poll.
fn singles(site: &mut Site, rounds: usize) {
    let mut samples = Samples::default();
    for round in 0..rounds {
        let place = |number: usize| (round * SINGLES + number).wrapping_mul(7919) % site.size;
        let users: Vec<_> = (0..SINGLES)
            .map(|number| Target::User(user(place(number))))
            .collect();
        let start = Instant::now();
        for user in users {
            assert_eq!(site.population.publish(user, event()), 1);
            // Streams with neighbouring indices are woken together.
            assert!((1..=4).contains(&site.threads[0].turns()));
        }
        samples.push_nanos(start.elapsed());
    }
    let each = samples.median() / SINGLES as f64;
    line(
        &format!(
            "publish to one user among {}, with wake and poll",
            site.size
        ),
        format_args!("{each:.0}"),
        "ns",
    );
}
