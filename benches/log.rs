//! The cost of the event log in the path of an event, and the cost of a resume, in this process,
//! without sockets, on one thread.
//!
//! Times are CPU times of the thread. Runs with and without a log take turns, and the ratio is that
//! of one round.

#[path = "src/memory.rs"]
mod memory;
#[path = "src/population.rs"]
mod population;

use std::time::Duration;

use benches::{
    lines::{Samples, line},
    scale::Scale,
};
use rustix::time::{ClockId, clock_gettime};
use sse_core::{Event, EventType, Handshake, Manager, ManagerBuilder, Retention, Session, Target};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::population::{Population, TOPIC_SIZE, drain, poll, topic, user};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let scale = Scale::from_args();
    let size = scale.pick(10_000, 1_000);
    hot_path(size, scale.pick(41, 1));
    for entries in scale.pick(vec![10_000, 100_000, 1_000_000], vec![1_000]) {
        resume(entries, scale.pick(2_000, 10));
    }
    stampede(scale.pick(10_000, 100), 100);
}

fn event() -> Event {
    const DATA: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    Event::text(DATA).with_event_type(EventType::NOTIFICATION)
}

/// Returns the time that this thread has run.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("the clock goes forward")
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = cpu_time();
    work();
    cpu_time().saturating_sub(start)
}

fn population(size: usize, log: Option<Retention>) -> Population {
    let builder = Manager::builder();
    Population::new(log.into_iter().fold(builder, ManagerBuilder::log), size)
}

/// Measures an event from its publish to the transport, with a full log, so that each new entry
/// evicts another.
fn hot_path(size: usize, rounds: usize) {
    let full = Retention::default().entries(10_000);
    let (mut without, mut with) = (population(size, None), population(size, Some(full)));
    for _ in 0..11_000 {
        with.publish(Target::Topic(topic(usize::MAX)), event());
    }
    with.drain();
    type Run = fn(&mut Population);
    let runs: [(String, Run); 3] = [
        ("one user".to_owned(), to_users),
        (format!("a topic of {TOPIC_SIZE}"), to_topics),
        (format!("all {size}"), to_all),
    ];
    for (name, run) in runs {
        let [mut plain, mut logged, mut ratios] = [(); 3].map(|()| Samples::default());
        for _ in 0..rounds {
            let (a, b) = (timed(|| run(&mut without)), timed(|| run(&mut with)));
            plain.push_nanos(a);
            logged.push_nanos(b);
            ratios.push(b.as_secs_f64() / a.as_secs_f64());
        }
        line(
            &format!("publish and take, {name}, without a log"),
            format_args!("{:.0}", plain.median() / 1e3),
            "µs",
        );
        line(
            &format!("publish and take, {name}, with a log"),
            format_args!("{:.0}", logged.median() / 1e3),
            "µs",
        );
        line(
            &format!("publish and take, {name}, with a log to without"),
            format_args!("{:.3}", ratios.median()),
            "times",
        );
    }
}

fn to_users(population: &mut Population) {
    for number in (0..population.len()).step_by(7).take(1_000) {
        population.publish(Target::User(user(number)), event());
        drain(&mut population.sessions[number]);
    }
}

fn to_topics(population: &mut Population) {
    let topics = population.topics();
    for number in (0..topics).take(50) {
        population.publish(Target::Topic(topic(number)), event());
        population
            .sessions
            .iter_mut()
            .skip(number)
            .step_by(topics)
            .for_each(drain);
    }
}

fn to_all(population: &mut Population) {
    population.publish(Target::All, event());
    population.poll_each();
}

/// Measures one client that missed a hundred events among others' in logs of several sizes.
fn resume(entries: usize, times: usize) {
    let manager = manager(entries);
    let mine = Target::User(user(0));
    let had = publish(&manager, &mine);
    let each = entries / 101;
    for _ in 0..100 {
        publish(&manager, &mine);
        (1..each).for_each(|other| drop(publish(&manager, &Target::User(user(other)))));
    }
    // Counts the `connection` block and the missed events. A poll is pending where the session
    // yields to other tasks.
    let come_back = || {
        let mut session = connect(&manager, &had, 0);
        let mut came = 0;
        while came < 101 {
            if let Some(bytes) = poll(&mut session) {
                came += bytes.windows(6).filter(|it| *it == b"\ndata:").count();
            }
        }
        assert!(poll(&mut session).is_none() && came == 101);
    };
    let first = timed(come_back).as_secs_f64() * 1e3;
    line(
        &format!("the first resume in a log of {entries}"),
        format_args!("{first:.2}"),
        "ms",
    );
    let mut samples = Samples::default();
    let allocations = memory::allocations();
    for _ in 0..times {
        samples.push_nanos(timed(come_back));
    }
    let each = (memory::allocations() - allocations) as f64 / times as f64;
    line(
        &format!("allocations of a resume in a log of {entries}"),
        format_args!("{each:.0}"),
        "allocations",
    );
    line(
        &format!("a resume of 100 events in a log of {entries}"),
        format_args!("{:.1}", samples.median() / 1e3),
        "µs",
    );
}

/// Measures clients that all reconnect at once, each of which missed the same events to all.
fn stampede(clients: usize, missed: usize) {
    let manager = manager(100_000);
    let had = publish(&manager, &Target::All);
    (0..missed).for_each(|_| drop(publish(&manager, &Target::All)));
    let (before, resident) = (memory::allocated(), memory::resident());
    let mut sessions: Vec<Session> = Vec::with_capacity(clients);
    let time = timed(|| {
        sessions.extend((0..clients).map(|number| connect(&manager, &had, number)));
        let held = memory::allocated() - before;
        line(
            &format!("memory of a client of {clients} before it takes what it missed"),
            held / clients,
            "bytes",
        );
        sessions.iter_mut().for_each(drain);
    });
    let name = format!("{clients} clients that each missed {missed} events resume");
    line(&name, format_args!("{:.0}", time.as_secs_f64() * 1e3), "ms");
    let held = memory::allocated().saturating_sub(before);
    line(
        &format!("memory of a client of {clients} that has resumed"),
        held / clients,
        "bytes",
    );
    if let (Some(before), Some(now)) = (resident, memory::resident()) {
        line(
            "resident memory that all of them added",
            now.saturating_sub(before) >> 10,
            "KiB",
        );
    }
    assert_eq!(
        manager.log_stats().expect("a manager with a log").replayed,
        (clients * missed) as u64
    );
}

fn manager(entries: usize) -> Manager {
    let log = Retention::default().entries(entries + 1_000).bytes(4 << 30);
    Manager::builder()
        .log(log)
        .max_connections(1_000_000)
        .build()
        .expect("the settings are valid")
}

/// Publishes, and returns the id.
fn publish(manager: &Manager, target: &Target) -> String {
    let receipt = futures_util::FutureExt::now_or_never(manager.publish(target.clone(), event()));
    let receipt = receipt
        .expect("fewer streams than the limit")
        .expect("the event is allowed");
    receipt.id.expect("a logged event").as_str().to_owned()
}

fn connect(manager: &Manager, had: &str, number: usize) -> Session {
    let handshake = Handshake::from_request("GET", None, Some(had.as_bytes())).user(user(number));
    manager.connect(handshake).expect("the manager has room")
}
