//! The gain of further reactor threads.

use std::num::NonZeroUsize;

use anyhow::Context;

use crate::driver::process::allowed_cpus;
use crate::driver::target::Layout;
use crate::driver::volume::Volume;
use crate::run::{self, run};
use crate::servers::contender::Contender;
use crate::servers::server::{Cpus, Server};
use crate::servers::stack::Stack;

/// The arguments of `load threads`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Numbers of threads, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [NonZeroUsize::MIN, NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN)])]
    threads: Vec<NonZeroUsize>,
    /// Measurements of each, in turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    volume: Volume,
}

/// Measures `sse-hyper`, with the load on the same processors, and prints a row for each
/// measurement. Returns `true` if everything was delivered.
///
/// # Errors
///
/// If a measurement fails.
pub(crate) fn threads(options: &Options) -> anyhow::Result<bool> {
    let load = std::env::current_exe().context("finding this program")?;
    let all = allowed_cpus()?;
    let cpus = Cpus {
        server: all.clone(),
        load: all,
    };
    println!(
        "| threads | paced: CPU per delivery | p50 / p99 / max | burst, deliveries/s | burst: CPU per delivery | the server's part of a \
         processor, burst | the load's |\n|---|---|---|---|---|---|---|"
    );
    let mut ok = true;
    for _ in 0..options.rounds {
        for threads in &options.threads {
            let more = [
                "--reactor-threads".to_owned(),
                threads.to_string(),
                "--workers".to_owned(),
                "1".to_owned(),
            ];
            let arguments = Stack::SseHyper
                .arguments()
                .into_iter()
                .chain(more)
                .collect();
            let contender =
                Contender::plain(format!("{threads} threads"), load.clone(), arguments, None);
            let server = Server::start(&contender, &cpus)?;
            let report = run(&run::Options {
                url: server.url().context("the server has no address")?,
                target: Layout::Plain,
                publish_url: None,
                headers: Vec::new(),
                pid: Some(server.pid()),
                volume: options.volume.clone(),
            })?;
            ok &= report.ok;
            let (paced, burst) = (&report.paced, &report.burst);
            println!(
                "| {threads} | {:.1} µs | {:.0} / {:.0} / {:.0} ms | {:.0} | {:.2} µs | {:.2} | {:.2} |",
                paced.cpu_us_per_delivery.unwrap_or(f64::NAN),
                paced.latency_us.p50 / 1000.0,
                paced.latency_us.p99 / 1000.0,
                paced.latency_us.max / 1000.0,
                burst.deliveries_per_second,
                burst.cpu_us_per_delivery.unwrap_or(f64::NAN),
                burst.server_cpu.unwrap_or(f64::NAN),
                burst.load_cpu,
            );
        }
    }
    Ok(ok)
}
