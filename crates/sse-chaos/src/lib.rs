#![doc = include_str!("../README.md")]

mod broker;
mod brokers;
mod certificates;
mod cli;
mod client;
mod clients;
mod clock;
mod cluster;
mod draw;
mod error;
mod fault;
mod guests;
mod journal;
mod node;
mod node_clients;
mod observation;
mod oracle;
mod plan;
mod population;
mod ports;
mod process;
mod publisher;
mod run_scenario;
mod runner;
mod scenario;
mod scoreboard;
mod seed;
mod sentinels;
mod shared;
mod testbed;
mod wait;

pub use cli::Cli;
pub use client::{
    Client,
    request::ClientRequest,
    state::{Departure, Phase, Status},
};
pub use error::Error;
pub use journal::{Journal, JournalEntry};
pub use observation::{Gap, GapReason, Loss, Observation, StopReason};
pub use oracle::{
    Oracle,
    judgment::{GapCounts, Judgment, Offence, OffenceKind, Recovery},
    publications::{Acknowledgement, OracleError, Publication},
    recovery::FaultPeriod,
    subscriber::Subscriber,
};
pub use runner::run;
