//! The same servers at several numbers of streams.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::compare::{self, Roster, read, save};
use crate::driver::volume::Volume;
use crate::report::Report;
use crate::report::chart;
use crate::report::figures::{after_kib, burst_rate, connect_cpu, idle_kib, p99, paced_cpu};
use crate::report::machine;
use crate::report::results::{Keeping, Results};
use crate::report::size::Size;
use crate::report::summary::{Measured, Summary};
use crate::report::table::{microseconds, ratio, replace_section, thousands};
use crate::servers::contender::Contender;
use crate::servers::stack::Stack;

/// The arguments of `load growth`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Numbers of streams, separated by commas; in place of `--streams`.
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 10_000, 19_000])]
    sizes: Vec<usize>,
    /// Measurements of each server at each size.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    #[command(flatten)]
    roster: Roster,
    /// Folder of `benchmarks.md`, of which only the section between the markers is written, and
    /// `growth.svg`.
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
    #[command(flatten)]
    keeping: Keeping,
    #[command(flatten)]
    volume: Volume,
}

const HEAD: &str = "\
| server | streams | CPU per delivery, paced | to the floor | p99, paced | to the floor | burst, deliveries/s | \
memory per idle stream | after traffic | CPU per connect | to the floor | missing / doubled / out of order / ended |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Measures everything, and writes the table and the plot. Returns `true` if every server delivered
/// everything once and in order.
///
/// # Errors
///
/// If a server cannot be measured at all.
pub(crate) fn growth(options: &Options) -> anyhow::Result<bool> {
    ensure!(
        options.rounds > 0 && !options.sizes.is_empty(),
        "--rounds and --sizes must be at least 1"
    );
    let cpus = options.roster.cpus()?;
    let mut turns = Vec::new();
    for streams in &options.sizes {
        let volume = Volume {
            streams: *streams,
            ..options.volume.clone()
        };
        let contenders = options.roster.contenders(*streams)?;
        for round in 0..options.rounds {
            turns.extend(
                contenders
                    .iter()
                    .map(|contender| (volume.clone(), round, contender.clone())),
            );
        }
    }
    let wanted: Vec<_> = turns
        .iter()
        .map(|(volume, round, contender)| (contender.name.clone(), *round, format!("{volume:?}")))
        .collect();
    let mut results = Results::open(&options.keeping)?;
    let all = results.complete(&wanted, |index| {
        compare::measure(&turns[index].2, &cpus, &turns[index].0)
    })?;
    if !all {
        return Ok(true);
    }
    let sizes: Vec<_> = options
        .sizes
        .iter()
        .map(|streams| size(&turns, *streams, &results))
        .collect();
    write(options, &sizes)?;
    Ok(sizes
        .iter()
        .flat_map(|size| &size.servers)
        .all(|server| server.faults().none()))
}

fn size(turns: &[(Volume, usize, Contender)], streams: usize, results: &Results) -> Size {
    let mut measured: Vec<Measured> = Vec::new();
    for (volume, round, contender) in turns
        .iter()
        .filter(|(volume, ..)| volume.streams == streams)
    {
        let report = results
            .get(&contender.name, *round, &format!("{volume:?}"))
            .cloned();
        match measured
            .iter_mut()
            .find(|server| server.contender.name == contender.name)
        {
            Some(server) => server.rounds.extend(report),
            None => {
                measured.push(Measured {
                    contender: contender.clone(),
                    rounds: report.into_iter().collect(),
                });
            }
        }
    }
    Size {
        streams,
        servers: Summary::all(measured),
    }
}

fn write(options: &Options, sizes: &[Size]) -> anyhow::Result<()> {
    let Options {
        docs,
        volume,
        rounds,
        ..
    } = options;
    fs::create_dir_all(docs).with_context(|| format!("making {}", docs.display()))?;
    let rounds = if *rounds == 1 {
        "one round".to_owned()
    } else {
        format!("median of {rounds} rounds")
    };
    let setting = format!(
        "{}-byte payloads, bursts of {}, {rounds}. {}: the server on one core, the load on another.",
        volume.payload,
        volume.burst,
        machine::describe(),
    );
    let table = table(sizes);
    eprintln!("\n{table}");
    let section = format!(
        "{setting}\n\n{table}\n![The table as lines over the number of streams](growth.svg)\n\n```sh\n{}\n```\n",
        command(options)
    );
    let path = docs.join("benchmarks.md");
    let page = if path.exists() {
        read(&path)?
    } else {
        "# Benchmarks\n".to_owned()
    };
    save(&path, &replace_section(&page, "growth", &section)?)?;
    save(&docs.join("growth.svg"), &chart::draw(&setting, sizes))
}

/// Returns the table, in which the sizes of a server follow each other.
fn table(sizes: &[Size]) -> String {
    let names = sizes
        .first()
        .into_iter()
        .flat_map(|size| &size.servers)
        .map(|server| &server.name);
    let rows = names.flat_map(|name| sizes.iter().filter_map(move |size| row(size, name)));
    format!("{HEAD}{}", rows.collect::<String>())
}

fn row(size: &Size, name: &str) -> Option<String> {
    let server = size.servers.iter().find(|server| server.name == name)?;
    let floor = size
        .servers
        .iter()
        .find(|server| server.name == Stack::Floor.title());
    let to_floor = |number: fn(&Report) -> f64| {
        ratio(floor.map_or(f64::NAN, |floor| {
            server.median(number) / floor.median(number)
        }))
    };
    let faults = server.faults();
    let cells = [
        server.name.replace('|', "\\|"),
        thousands(size.streams as f64),
        format!("{:.1} µs", server.median(paced_cpu)),
        ratio(server.ratio()),
        format!("{:.0} ms", server.median(p99)),
        to_floor(p99),
        thousands(server.median(burst_rate)),
        format!("{:.2} KiB", server.median(idle_kib)),
        format!("{:.2} KiB", server.median(after_kib)),
        microseconds(server.median(connect_cpu)),
        to_floor(connect_cpu),
        format!(
            "{} / {} / {} / {}",
            faults.missing, faults.doubled, faults.out_of_order, faults.ended
        ),
    ];
    Some(format!("| {} |\n", cells.join(" | ")))
}

/// Returns the command line that repeats the measurement.
fn command(options: &Options) -> String {
    let Options {
        sizes,
        rounds,
        roster,
        volume,
        ..
    } = options;
    let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
    let Volume {
        payload,
        seconds,
        interval,
        burst,
        bursts,
        window,
        nap,
        ..
    } = volume;
    let interval = interval
        .map(|interval| format!(" --interval {interval}"))
        .unwrap_or_default();
    format!(
        "cargo run --release -p benches --bin load -- growth --sizes {}{} --rounds {rounds} --payload {payload} --seconds {seconds}\
         {interval} --burst {burst} --bursts {bursts} --window {window} --nap {nap}",
        sizes.join(","),
        roster.command(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::{measured, report};

    pub(crate) fn sizes() -> Vec<Size> {
        let servers = |cpu, memory| {
            let floor = measured(Stack::Floor, vec![report(5.0, 100.0, 50.0)]);
            Summary::all(vec![
                floor,
                measured(Stack::SseHyper, vec![report(cpu, 500.0, memory)]),
            ])
        };
        vec![
            Size {
                streams: 1000,
                servers: servers(6.0, 1024.0),
            },
            Size {
                streams: 10_000,
                servers: servers(5.5, 512.0),
            },
        ]
    }

    #[test]
    fn growth_table_lists_sizes_next_to_the_floor() {
        let table = table(&sizes());
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(rows.len(), 4);
        assert!(
            rows[0].starts_with("| floor | 1,000 | 5.0 µs | 1.00 | 2 ms | 1.00 |"),
            "{table}"
        );
        let last = "| sse-hyper | 10,000 | 5.5 µs | 1.10 | 2 ms | 1.00 | 500 | 0.50 KiB | 1.00 KiB | – | – | 0 / 0 / 0 / 0 |";
        assert_eq!(rows[3], last);
    }

    #[test]
    fn the_plot_has_a_line_for_each_server_and_quantity() {
        let svg = chart::draw("Here & now.", &sizes());
        assert_eq!(svg.matches("<polyline ").count(), 2 * 6, "{svg}");
        assert!(!svg.contains("NaN") && svg.contains("Here &amp; now.") && svg.contains("10,000"));
    }
}
