//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::{
    broker::BrokerKind,
    plan::RunLength,
    run_scenario::Size,
    scenario::{SCENARIOS, Scenario},
};

/// Breaks hubs, brokers and networks on purpose, and checks the events that clients received: all
/// of them, in order, once, or a gap that says what is missing.
#[derive(Debug, Parser)]
#[command(
    name = "sse-chaos",
    after_help = "Exits with 1 if an event was lost without a gap, duplicated, or otherwise wrong."
)]
pub struct Cli {
    /// The hub's executable
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    hub: Option<PathBuf>,
    /// Seed of faults and events: equal seeds play equal plans [default: 1 with --short, else any]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Number of seeds to play in sequence, from --seed on
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,
    /// The broker
    #[arg(long, value_enum, default_value = "both")]
    broker: BrokerChoice,
    /// Clients, browsers included [default: 3000, with --short 120]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5000))]
    clients: Option<u32>,
    /// Number of clients that run the browser client under Node [default: 100, with --short 10]
    #[arg(long, value_name = "N")]
    browsers: Option<u32>,
    /// Events a second, at most [default: 60]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
    /// A few scenarios, briefly
    #[arg(long)]
    short: bool,
    /// Only these scenarios
    #[arg(long, value_name = "SCENARIO", value_parser = known)]
    only: Vec<String>,
    /// Takes one event away from one client of each scenario before it is judged: the run must fail
    #[arg(long)]
    pub(crate) sabotage: bool,
    /// Keeps the folder with what brokers and hubs wrote
    #[arg(long)]
    pub(crate) keep: bool,
    /// Lists the scenarios
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BrokerChoice {
    Redis,
    Nats,
    Both,
}

fn known(name: &str) -> Result<String, String> {
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    if names.clone().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(format!(
        "there are {}",
        names.collect::<Vec<_>>().join(", ")
    ))
}

impl Cli {
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| {
            if self.short {
                1
            } else {
                rand::random_range(1..1_000_000)
            }
        })
    }

    pub(crate) fn form(&self) -> RunLength {
        if self.short {
            RunLength::Short
        } else {
            RunLength::Long
        }
    }

    pub(crate) fn size(&self) -> Size {
        let or = |given: Option<u32>, long, short| {
            given.unwrap_or(if self.short { short } else { long })
        };
        let clients = or(self.clients, 3000, 120);
        let browsers = or(self.browsers, 100, 10).min(clients);
        let rate = or(self.rate, 60, 60);
        Size {
            hub: self.hub.clone().unwrap_or_default(),
            clients: clients as usize,
            browsers: browsers as usize,
            rate,
            calm: u64::from(if self.short { rate / 2 } else { 2 * rate }),
        }
    }

    /// Returns the scenarios to play, each with its broker. A scenario that is named explicitly is
    /// played even if it does not belong to the short form.
    pub(crate) fn chosen(&self) -> Vec<(BrokerKind, &'static Scenario)> {
        let kinds = match self.broker {
            BrokerChoice::Redis => &[BrokerKind::Redis][..],
            BrokerChoice::Nats => &[BrokerKind::Nats],
            BrokerChoice::Both => &[BrokerKind::Redis, BrokerKind::Nats],
        };
        let is_named = |scenario: &Scenario| self.only.iter().any(|name| name == scenario.name);
        let is_chosen = |kind, scenario: &Scenario| match self.only.is_empty() {
            true => scenario.is_for(kind, self.form()),
            false => is_named(scenario) && scenario.is_for(kind, RunLength::Long),
        };
        let of_kind = |&kind| {
            SCENARIOS
                .iter()
                .filter(move |scenario| is_chosen(kind, scenario))
                .map(move |scenario| (kind, scenario))
        };
        kinds.iter().flat_map(of_kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn chosen(arguments: &[&str]) -> Vec<(BrokerKind, &'static str)> {
        let cli = Cli::parse_from([&["sse-chaos", "--hub", "hub"], arguments].concat());
        cli.chosen()
            .iter()
            .map(|(kind, scenario)| (*kind, scenario.name))
            .collect()
    }

    #[test]
    fn the_shape_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn plays_all_scenarios_by_default() {
        let all = chosen(&[]);
        assert!(all.len() > chosen(&["--short"]).len());
        assert!(
            all.iter().any(|(kind, _)| *kind == BrokerKind::Redis)
                && all.iter().any(|(kind, _)| *kind == BrokerKind::Nats)
        );
        assert!(
            chosen(&["--broker", "nats"])
                .iter()
                .all(|(kind, _)| *kind == BrokerKind::Nats)
        );
    }

    #[test]
    fn named_scenario_is_played_in_either_form() {
        assert_eq!(
            chosen(&["--short", "--only", "failover"]),
            [(BrokerKind::Redis, "failover")],
            "NATS has no replica scenario"
        );
        assert!(Cli::try_parse_from(["sse-chaos", "--hub", "hub", "--only", "rain"]).is_err());
    }
}
