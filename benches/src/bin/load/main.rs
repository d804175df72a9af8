//! Loads servers of Server-Sent Events, and reports the cost of a delivery and of a stream.
//!
//! - `load run` opens streams at one server, publishes to it at a pace and then in bursts, and
//!   prints one JSON object. It exits with 1 if an event was missing, doubled, out of order or
//!   damaged, or if the server ended a stream.
//! - `load sse-axum`, `sse-hyper` and `sse-actix` are servers with the adapters. `load
//!   axum-native`, `hyper-native` and `actix-native` are the equivalents that users would write
//!   without the adapters. `load floor` is the least that any server can cost.
//! - `load compare` starts each of them and the hub in turn, for several rounds, and writes a table
//!   and a plot. With `--peers` it includes installed servers of other projects. `load growth`
//!   compares at several numbers of streams, `load threads` with several threads of the reactor,
//!   and `load transports` with the hub over HTTP/2 and TLS.
//!
//! The program exits with 2 if there is nothing to report: a server is unavailable, or refuses
//! streams or publishes.
//!
//! Linux only: the program reads `/proc` and pins threads to processors.

mod compare;
mod driver;
mod report;
mod run;
mod servers;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::driver::process;
use crate::report::growth;
use crate::servers::serving::Serving;
use crate::servers::stack::Stack;
use crate::servers::{peer, threads, transports};

/// Loads servers of Server-Sent Events, and reports the cost of a delivery and of a stream.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load one server and print a JSON report; exit with 1 if it did not deliver everything once
    /// and in order, and with 2 if it could not be measured.
    #[command(after_long_help = REPORT)]
    Run(run::Options),
    /// Serve as the floor: one epoll loop, one `send` for each stream, no queue, no registry.
    Floor(Serving),
    /// Serve with axum's own `Sse` and a tokio broadcast.
    AxumNative(Serving),
    /// Serve with `sse-axum`.
    SseAxum(Serving),
    /// Serve with hyper, a channel as the body of each stream.
    HyperNative(Serving),
    /// Serve with `sse-hyper`.
    SseHyper(Serving),
    /// Serve with the `sse` of actix-web-lab and the broadcaster of Actix's examples.
    ActixNative(Serving),
    /// Serve with `sse-actix`.
    SseActix(Serving),
    /// Load several servers in turn; write a table and a plot, and print all reports as JSON.
    ///
    /// Exits with 1 if any server did not deliver everything once and in order, and with 2 if it
    /// could not be measured.
    Compare(compare::Options),
    /// Load several servers at several numbers of streams; write a table and a plot.
    ///
    /// Exits as `compare` does.
    Growth(growth::Options),
    /// Broadcast with one thread of the reactor and with more, servers and load on the same
    /// processors; print a table.
    Threads(threads::Options),
    /// Open streams of the hub over HTTP/1.1 and HTTP/2, with TLS and without; print a table of
    /// what they cost it.
    Transports(transports::Options),
    /// Install the servers of others that npm has, for `--peers`.
    Install,
}

const REPORT: &str = "\
The report:
  url, streams, payload_bytes, connect_seconds
  connect_cpu_us  user and system time of the server for opening a stream; null without --pid
  idle_cpu        the part of one processor that the server used in --idle; null without that or --pid
  memory          null without --pid, else
    before                    private anonymous bytes of the server before the first stream
    per_idle_stream           growth in bytes per stream, once all are open
    per_stream_after_traffic  growth in bytes per stream, after all phases
  paced, burst    one object each, for publishing at a pace and back to back
    publishes, deliveries, seconds, deliveries_per_second
                              from the first publish of a phase (or of each burst) to its last delivery
    cpu_us_per_delivery       user and system time of the server; null without --pid
    server_cpu, load_cpu      the part of one processor that was used; load_cpu near 1: the load was the bottleneck
    longest_stall_ms          the longest time without a delivery while some were due that did come
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
            writeln!(
                std::io::stdout(),
                "{}",
                serde_json::to_string_pretty(&report)?
            )?;
            Ok(verdict(report.ok))
        }
        Command::Floor(serving) => serve(Stack::Floor, &serving),
        Command::AxumNative(serving) => serve(Stack::AxumNative, &serving),
        Command::SseAxum(serving) => serve(Stack::SseAxum, &serving),
        Command::HyperNative(serving) => serve(Stack::HyperNative, &serving),
        Command::SseHyper(serving) => serve(Stack::SseHyper, &serving),
        Command::ActixNative(serving) => serve(Stack::ActixNative, &serving),
        Command::SseActix(serving) => serve(Stack::SseActix, &serving),
        Command::Growth(options) => Ok(verdict(growth::growth(&options)?)),
        Command::Threads(options) => threads::threads(&options).map(verdict),
        Command::Transports(options) => {
            transports::transports(&options).map(|()| ExitCode::SUCCESS)
        }
        Command::Install => peer::install().map(|()| ExitCode::SUCCESS),
        Command::Compare(options) => {
            let summaries = compare::compare(&options)?;
            writeln!(
                std::io::stdout(),
                "{}",
                serde_json::to_string_pretty(&summaries)?
            )?;
            Ok(verdict(
                summaries.iter().all(|summary| summary.faults().none()),
            ))
        }
    }
}

fn verdict(ok: bool) -> ExitCode {
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Serves, after the address was printed and flushed, even into a pipe.
fn serve(stack: Stack, serving: &Serving) -> anyhow::Result<ExitCode> {
    process::allow_streams(0)?;
    let listener = serving.listener()?;
    println!("http://{}/sse", listener.local_addr()?);
    std::io::stdout().flush()?;
    stack.serve(listener, serving)?;
    Ok(ExitCode::SUCCESS)
}
