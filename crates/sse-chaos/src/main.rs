//! `cargo xtask chaos`: hubs, a broker, clients and a publisher; what goes wrong; and what became of the promise.

mod audience;
mod broker;
mod brokers;
mod browsers;
mod certificates;
mod cli;
mod clock;
mod cluster;
mod crowd;
mod error;
mod fault;
mod guests;
mod node;
mod patience;
mod play;
mod ports;
mod process;
mod publisher;
mod run;
mod scenario;
mod score;
mod seed;
mod sentinels;
mod shared;
mod stage;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run::run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sse-chaos: {error}");
            ExitCode::FAILURE
        }
    }
}
