//! The cost of delivering an event to its streams, in this process, without sockets, on one thread.
//!
//! Criterion's times of a broadcast are per matched stream. In addition, `main` prints results that
//! are not times of one operation: memory, the longest hold of the caller's thread, and the parts
//! of a broadcast as medians of rounds.

#[path = "src/memory.rs"]
mod memory;
#[path = "src/population.rs"]
mod population;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use benches::{
    lines::{Samples, line},
    scale::Scale,
};
use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::time::{ClockId, clock_gettime};
use sse_core::{Event, EventType, Handshake, Manager, Target};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::population::{Population, TOPIC_SIZE, drain, topic, user};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Number of operations that are timed together if one alone is too short.
const BATCH: u64 = 256;

/// Number of events that are published while no stream takes any.
const BURST: usize = 16;

fn main() {
    let scale = Scale::from_args();
    let sizes = scale.pick(vec![1_000, 10_000, 100_000, 1_000_000], vec![1_000, 10_000]);
    if scale.measures() {
        // First, while the allocator has no memory to return that was used before.
        let most = *sizes.last().expect("at least one size");
        memory(most);
        arrivals(most);
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for size in sizes {
        let mut population = Streams { size, made: None };
        broadcasts(&mut criterion, &mut population);
        few(&mut criterion, &mut population);
        churn(&mut criterion, &mut population);
        if scale.measures() {
            parts(population.get(), scale.pick(3_000_000 / size + 7, 1));
            hold(population.get(), scale.pick(20_000_000 / size, 1));
        }
    }
    criterion.final_summary();
}

/// A population that is created when the first selected bench needs it.
struct Streams {
    size: usize,
    made: Option<Population>,
}

impl Streams {
    fn get(&mut self) -> &mut Population {
        self.made
            .get_or_insert_with(|| Population::new(Manager::builder(), self.size))
    }
}

fn event() -> Event {
    const DATA: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    Event::text(DATA).with_event_type(EventType::NOTIFICATION)
}

/// Publishes to all, and returns the time that it took.
fn broadcast(population: &Population) -> Duration {
    let start = Instant::now();
    let matched = population.publish(Target::All, event());
    let elapsed = start.elapsed();
    assert_eq!(matched, population.len());
    elapsed
}

/// Polls all streams once, and returns the time that it took.
fn take(population: &mut Population) -> Duration {
    let start = Instant::now();
    let served = population.poll_each();
    let elapsed = start.elapsed();
    assert_eq!(served, population.len(), "a stream received no event");
    elapsed
}

fn broadcasts(criterion: &mut Criterion, streams: &mut Streams) {
    let size = streams.size;
    let mut group = group(criterion, "broadcast, per stream", size);
    let per_stream = |total: Duration| total / u32::try_from(size).expect("sizes are small");
    group.bench_function("publish and poll", |bencher| {
        bencher.iter_custom(|times| {
            let once = |_| {
                let population = streams.get();
                let elapsed = broadcast(population) + take(population);
                population.drain();
                elapsed
            };
            per_stream((0..times).map(once).sum())
        });
    });
    group.bench_function("publish and poll until pending", |bencher| {
        bencher.iter_custom(|times| {
            let once = |_| {
                let population = streams.get();
                let start = Instant::now();
                broadcast(population);
                population.drain();
                start.elapsed()
            };
            per_stream((0..times).map(once).sum())
        });
    });
    group.finish();
}

fn few(criterion: &mut Criterion, streams: &mut Streams) {
    let mut group = group(criterion, "few of many", streams.size);
    let mut random = StdRng::seed_from_u64(1);
    group.bench_function("publish to one user, another each time", |bencher| {
        bencher.iter_custom(|times| {
            batched(times, |times| to_users(streams.get(), &mut random, times))
        });
    });
    group.bench_function(
        "publish to the same user, and poll until pending",
        |bencher| {
            bencher.iter_custom(|times| to_one_user(streams.get(), times));
        },
    );
    group.bench_function(
        format!("publish to one topic of {TOPIC_SIZE}, another each time"),
        |bencher| {
            bencher.iter_custom(|times| {
                batched(times, |times| to_topics(streams.get(), &mut random, times))
            });
        },
    );
    group.finish();
}

fn to_users(population: &mut Population, random: &mut StdRng, times: u64) -> Duration {
    let places: Vec<_> = (0..times)
        .map(|_| random.random_range(0..population.len()))
        .collect();
    let targets: Vec<_> = places
        .iter()
        .map(|place| Target::User(user(*place)))
        .collect();
    let (elapsed, matched) = publish_each(population, targets);
    assert_eq!(matched, places.len());
    places
        .iter()
        .for_each(|place| drain(&mut population.sessions[*place]));
    elapsed
}

fn to_one_user(population: &mut Population, times: u64) -> Duration {
    let place = population.len() / 2;
    let user = user(place);
    let start = Instant::now();
    for _ in 0..times {
        population.publish(Target::User(user.clone()), event());
        drain(&mut population.sessions[place]);
    }
    start.elapsed()
}

fn to_topics(population: &mut Population, random: &mut StdRng, times: u64) -> Duration {
    let topics = population.topics();
    let chosen: Vec<_> = (0..times).map(|_| random.random_range(0..topics)).collect();
    let targets = chosen
        .iter()
        .map(|number| Target::Topic(topic(*number)))
        .collect();
    let (elapsed, matched) = publish_each(population, targets);
    assert_eq!(matched, chosen.len() * TOPIC_SIZE);
    for number in chosen {
        population
            .sessions
            .iter_mut()
            .skip(number)
            .step_by(topics)
            .for_each(drain);
    }
    elapsed
}

/// Returns the time that it took, and the number of streams that matched.
fn publish_each(population: &Population, targets: Vec<Target>) -> (Duration, usize) {
    let start = Instant::now();
    let matched = targets
        .into_iter()
        .map(|target| population.publish(target, event()))
        .sum();
    (start.elapsed(), matched)
}

fn batched(times: u64, mut run: impl FnMut(u64) -> Duration) -> Duration {
    let full = (0..times / BATCH).map(|_| run(BATCH)).sum::<Duration>();
    full + run(times % BATCH)
}

fn churn(criterion: &mut Criterion, streams: &mut Streams) {
    let size = streams.size;
    let mut group = group(criterion, "connect and drop", size);
    group.bench_function("with user and topic", |bencher| {
        bencher
            .iter_custom(|times| batched(times, |times| come_and_go(streams.get(), times, |_| ())));
    });
    group.bench_function("with user and topic, polled until pending", |bencher| {
        bencher
            .iter_custom(|times| batched(times, |times| come_and_go(streams.get(), times, drain)));
    });
    group.finish();
}

fn come_and_go(
    population: &Population,
    times: u64,
    meanwhile: impl Fn(&mut sse_core::Session),
) -> Duration {
    let size = population.len();
    let times = usize::try_from(times).expect("batches are small");
    let handshakes: Vec<_> = (size..size + times)
        .map(|number| {
            Handshake::new()
                .user(user(number))
                .topic(topic(number % population.topics()))
        })
        .collect();
    let start = Instant::now();
    for handshake in handshakes {
        let mut session = population
            .manager
            .connect(handshake)
            .expect("the manager has room");
        meanwhile(&mut session);
        drop(black_box(session));
    }
    start.elapsed()
}

fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
    size: usize,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("fanout/{name}/{size}"));
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// Prints the cost of each step of a broadcast.
fn parts(population: &mut Population, rounds: usize) {
    let size = population.len();
    let mut steps = [(); 3].map(|()| Samples::default());
    let mut both = Samples::default();
    for _ in 0..rounds {
        let (publish, polls) = (broadcast(population), take(population));
        let start = Instant::now();
        population.drain();
        let times = [publish, polls, start.elapsed()];
        steps
            .iter_mut()
            .zip(times)
            .for_each(|(samples, time)| samples.push_nanos(time));
        both.push_nanos(publish + polls);
    }
    let names = ["publish", "first poll", "poll to pending"];
    for (name, samples) in names
        .into_iter()
        .zip(steps)
        .chain([("publish and first poll", both)])
    {
        let each = samples.median() / size as f64;
        line(
            &format!("broadcast to {size}, {name}"),
            format_args!("{each:.1}"),
            "ns per stream",
        );
    }
}

/// Prints how long a broadcast holds its thread at a time: in wall-clock time, which includes other
/// work of the system, and in CPU time of the thread.
fn hold(population: &mut Population, publishes: usize) {
    let [mut longest, mut own, mut longest_own] = [(); 3].map(|()| Samples::default());
    for _ in 0..publishes {
        let [mut walls, mut cpus] = [(); 2].map(|()| Samples::default());
        population.publish_by(Target::All, event(), |poll| {
            let (wall, cpu) = (Instant::now(), cpu_time());
            let poll = poll();
            cpus.push_nanos(cpu_time().saturating_sub(cpu));
            walls.push_nanos(wall.elapsed());
            poll
        });
        population.drain();
        longest.push(walls.max());
        own.push(cpus.median());
        longest_own.push(cpus.max());
    }
    let name = format!("hold of the thread by a broadcast to {}", population.len());
    for (which, nanos) in [
        ("CPU time, median", own.median()),
        (
            "CPU time, longest, median of publishes",
            longest_own.median(),
        ),
        ("CPU time, longest, maximum of publishes", longest_own.max()),
        ("wall time, longest, median of publishes", longest.median()),
        ("wall time, longest, maximum of publishes", longest.max()),
    ] {
        line(
            &format!("{name}, {which}"),
            format_args!("{:.0}", nanos / 1e3),
            "µs",
        );
    }
}

/// Prints how long a new connection holds the thread while tables grow.
fn arrivals(size: usize) {
    let mut population = Population::empty(Manager::builder(), size);
    let mut longest = Duration::ZERO;
    for number in 0..size {
        let start = cpu_time();
        population.add(number);
        longest = longest.max(cpu_time().saturating_sub(start));
    }
    line(
        &format!("longest connect while {size} come, CPU time"),
        longest.as_micros(),
        "µs",
    );
}

/// Returns the time that this thread has run.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("the clock goes forward")
}

/// Prints the memory of streams: idle, with a burst waiting, and after the burst.
fn memory(size: usize) {
    let (allocated, resident) = (memory::allocated(), memory::resident());
    let mut population = Population::new(Manager::builder(), size);
    let each = |now: usize, before: usize| now.saturating_sub(before) / size;
    let idle = memory::allocated();
    line(
        &format!("memory of an idle stream of {size}"),
        each(idle, allocated),
        "bytes",
    );
    if let (Some(before), Some(now)) = (resident, memory::resident()) {
        line(
            &format!("resident memory of an idle stream of {size}"),
            each(now, before),
            "bytes",
        );
    }
    for _ in 0..BURST {
        broadcast(&population);
    }
    line(
        &format!("memory of {BURST} events that wait for a stream"),
        each(memory::allocated(), idle),
        "bytes",
    );
    population.drain();
    line(
        "memory kept by a stream after a burst",
        each(memory::allocated(), idle),
        "bytes",
    );

    let before = memory::allocations();
    let count = 1000;
    come_and_go(&population, count, drain);
    // Two names are created for each handshake, and a list of topics.
    let per_stream = (memory::allocations() - before) as f64 / count as f64;
    line(
        "allocations of a stream that comes and goes",
        format_args!("{per_stream:.1}"),
        "allocations",
    );
    population.sessions = Vec::new();
    line(
        "memory of a manager after all streams left",
        memory::allocated().saturating_sub(allocated),
        "bytes",
    );
}
