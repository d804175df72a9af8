//! `cargo xtask chaos`: hubs, a broker, clients and a publisher; what goes wrong; and what became
//! of the promise.

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
