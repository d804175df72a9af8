//! The cost of encoding an event, against the least work that produces the same bytes, and against
//! other libraries.
//!
//! Every column starts from borrowed text (or a value) and ends with owned bytes, which are
//! dropped. Columns named `… given` start from the peer's own type instead, created ahead. Axum is
//! polled through the body of its `Sse`, since its bytes are not accessible in any other way. The
//! poll costs axum a few nanoseconds.
//!
//! In addition to criterion's times, `main` prints medians and ratios of rounds in which the
//! columns take turns: on a machine with other work, measurements that are seconds apart do not
//! compare.

#[path = "src/column.rs"]
mod column;
#[path = "src/floor.rs"]
mod floor;
#[path = "src/peers.rs"]
mod peers;

use std::{sync::Arc, time::Duration};

use benches::{
    lines::{Samples, line},
    scale::Scale,
};
use bytestring::ByteString;
use criterion::Criterion;
use serde::Serialize;
use sse_core::{Event, EventType};

use crate::column::Column;

const TYPE: EventType = EventType::NOTIFICATION;

/// Duration of one column's turn in a round.
const TURN: Duration = Duration::from_micros(200);

fn main() {
    let scale = Scale::from_args();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for (row, mut columns) in rows() {
        assert_same(row, &columns);
        bench(&mut criterion, row, &mut columns);
        if scale.measures() {
            compare(row, &mut columns, scale.pick(500, 1));
        }
    }
    criterion.final_summary();
}

fn rows() -> Vec<(&'static str, Vec<Column>)> {
    let line = |length| "x".repeat(length);
    let lines = vec!["y".repeat(63); 16].join("\n");
    vec![
        ("64 B", texts(&line(64))),
        ("1 KiB", texts(&line(1024))),
        ("16 KiB", texts(&line(16 << 10))),
        ("1 KiB in 16 lines", texts(&lines)),
        ("JSON", jsons(Order::example())),
    ]
}

fn texts(text: &str) -> Vec<Column> {
    let text: Arc<str> = text.into();
    let data = || Arc::clone(&text);
    let (a, b, c, d, e, f, g) = (data(), data(), data(), data(), data(), data(), data());
    let given = ByteString::from(&*text);
    vec![
        Column::new("floor", move || floor::text(&a)),
        Column::new("ours", move || {
            Event::text(&b).with_event_type(TYPE).encode()
        }),
        Column::new("ours, shared frame", move || {
            Event::text(&c).with_event_type(TYPE).into_frame().event()
        }),
        Column::new("axum", peers::axum(move |event| event.data(&d))),
        Column::new("russe", move || peers::russe(ByteString::from(&*e))),
        Column::new("russe, given", move || peers::russe(given.clone())),
        Column::new("sse-stream", move || peers::sse_stream(f.to_string())),
        Column::given(
            "sse-stream, given",
            move || g.to_string(),
            peers::sse_stream,
        ),
    ]
}

fn jsons(order: Order) -> Vec<Column> {
    let json = move || serde_json::to_string(&order).expect("an order serializes");
    vec![
        Column::new("floor", move || {
            floor::json(&order).expect("an order serializes")
        }),
        Column::new("ours", move || ours_json(order).encode()),
        Column::new("ours, shared frame", move || {
            ours_json(order).into_frame().event()
        }),
        Column::new(
            "axum",
            peers::axum(move |event| event.json_data(order).expect("an order serializes")),
        ),
        Column::new("russe", move || peers::russe(json().into())),
        Column::new("sse-stream", move || peers::sse_stream(json())),
    ]
}

fn ours_json(order: Order) -> Event {
    Event::json(&order)
        .expect("an order serializes")
        .with_event_type(TYPE)
}

/// An order of about 200 bytes.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order: u64,
    customer: &'static str,
    email: &'static str,
    total_cents: u64,
    currency: &'static str,
    express: bool,
    note: Option<&'static str>,
    items: [Item; 3],
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Item {
    sku: &'static str,
    count: u32,
}

impl Order {
    fn example() -> Self {
        Self {
            order: 814_113,
            customer: "Grace Hopper",
            email: "grace@example.org",
            total_cents: 129_900,
            currency: "EUR",
            express: true,
            note: None,
            items: ["A-1", "B-22", "C-333"].map(|sku| Item { sku, count: 2 }),
        }
    }
}

fn assert_same(row: &str, columns: &[Column]) {
    let (floor, rest) = columns.split_first().expect("a row has columns");
    for column in rest {
        assert_eq!(
            column.sample, floor.sample,
            "{row}: {} makes other bytes than the floor",
            column.name
        );
    }
}

fn bench(criterion: &mut Criterion, row: &str, columns: &mut [Column]) {
    let mut group = criterion.benchmark_group(format!("encode/{row}"));
    for column in columns {
        group.bench_function(column.name, |bencher| {
            bencher.iter_custom(|times| column.time(times));
        });
    }
    group.finish();
}

/// Lets the columns take turns, and prints the median of each and of its ratio to the floor in the
/// same round.
fn compare(row: &str, columns: &mut [Column], rounds: usize) {
    let batches: Vec<_> = columns.iter_mut().map(batch).collect();
    let mut times = vec![Samples::default(); columns.len()];
    let mut ratios = times.clone();
    for _ in 0..rounds {
        let mut floor = None;
        for (index, column) in columns.iter_mut().enumerate() {
            let each = column.time(batches[index]).as_secs_f64() * 1e9 / batches[index] as f64;
            times[index].push(each);
            ratios[index].push(each / *floor.get_or_insert(each));
        }
    }
    for (index, column) in columns.iter().enumerate() {
        let name = format!("encode {row}, {}", column.name);
        line(&name, format_args!("{:.1}", times[index].median()), "ns");
        line(
            &format!("{name} / floor"),
            format_args!("{:.2}", ratios[index].median()),
            "times",
        );
    }
}

/// Returns the number of encodings that fill a column's turn.
fn batch(column: &mut Column) -> u64 {
    let mut times = 1;
    while column.time(times) < TURN && times < 1 << 20 {
        times *= 2;
    }
    times
}
