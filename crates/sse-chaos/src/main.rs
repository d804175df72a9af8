//! `cargo xtask chaos`: runs hubs, a broker, clients and a publisher, injects faults, and reports
//! whether the promise was kept.

use std::process::ExitCode;

use clap::Parser;
use sse_chaos::{Cli, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sse-chaos: {error}");
            ExitCode::FAILURE
        }
    }
}
