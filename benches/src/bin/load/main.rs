//! Loads servers of Server-Sent Events, and says what a delivery and a stream cost them.
//!
//! - `load run` opens streams at one server, publishes to it at a pace and then in bursts, prints one JSON object,
//!   and exits with 1 if anything was missing, doubled, out of order or damaged, or a stream was ended by the server.
//! - `load floor` and `load axum-native` are servers to compare with.
//! - `load compare` starts each of them and the hub in turn, several rounds, and writes a table and a plot.
//!
//! It exits with 2 if there is nothing to report: a server that is not there, or refuses streams or publishes.
//!
//! Linux only: it reads `/proc` and pins to processors.

mod axum_native;
mod clock;
mod compare;
mod contender;
mod events;
mod floor;
mod latency;
mod machine;
mod payload;
mod plot;
mod process;
mod publisher;
mod receiver;
mod report;
mod response;
mod run;
mod sample;
mod server;
mod stream;
mod summary;
mod table;
mod target;
mod tracker;
mod volume;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::floor::Floor;

/// Loads servers of Server-Sent Events, and says what a delivery and a stream cost them.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load one server and print a JSON report; exit with 1 if it did not deliver everything once and in order, and with
    /// 2 if it could not be measured.
    #[command(after_long_help = REPORT)]
    Run(run::Options),
    /// Serve as the floor: one epoll loop, one `send` for each stream, no queue, no registry.
    Floor {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Serve with axum's own `Sse` and a tokio broadcast.
    AxumNative {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Events that the broadcast holds; a stream that is further behind loses some.
        #[arg(long, default_value_t = 1024)]
        capacity: usize,
    },
    /// Load the floor, axum and the hub in turn; write a table and a plot, and print all reports as JSON.
    ///
    /// Exits with 1 if any server did not deliver everything once and in order, and with 2 if it could not be measured.
    Compare(compare::Options),
}

const REPORT: &str = "\
The report:
  url, streams, payload_bytes, connect_seconds
  memory          null without --pid, else
    before                    private anonymous bytes of the server before the first stream
    per_idle_stream           growth in bytes per stream, once all are open
    per_stream_after_traffic  growth in bytes per stream, after all phases
  paced, burst    one object each, for publishing at a pace and back to back
    publishes, deliveries, seconds, deliveries_per_second
                              from the first publish of a phase (or of each burst) to its last delivery
    cpu_us_per_delivery       user and system time of the server; null without --pid
    server_cpu, load_cpu      the part of one processor that was used; load_cpu near 1: the load was the bottleneck
    latency_us                p50, p99, max, from sending a publish to reading the event
  missing, doubled, out_of_order, damaged   deliveries, over all streams
  ended           streams that the server ended
  ok              true if these five are 0";

fn main() -> ExitCode {
    execute(Cli::parse().command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(options) => {
            let report = run::run(&options)?;
            println!("{}", serde_json::to_string_pretty(&report)?);
            Ok(verdict(report.ok))
        }
        Command::Floor { listen } => {
            process::allow_streams(0)?;
            let floor = Floor::bind(listen)?;
            announce(floor.address()?)?;
            floor.serve()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::AxumNative { listen, capacity } => {
            process::allow_streams(0)?;
            axum_native::serve(listen, capacity, announce)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Compare(options) => {
            let summaries = compare::compare(&options)?;
            println!("{}", serde_json::to_string_pretty(&summaries)?);
            Ok(verdict(summaries.iter().all(|summary| summary.faults().none())))
        }
    }
}

fn verdict(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says where a server listens, at once even into a pipe.
fn announce(address: SocketAddr) -> anyhow::Result<()> {
    println!("http://{address}/sse");
    Ok(std::io::stdout().flush()?)
}
