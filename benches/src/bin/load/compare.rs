//! Several servers, several rounds, one after the other on the same two processors.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;

use crate::driver::process::allowed_cpus;
use crate::driver::volume::Volume;
use crate::report::Report;
use crate::report::machine;
use crate::report::plot;
use crate::report::results::{Keeping, Results};
use crate::report::summary::{Measured, Summary};
use crate::report::table;
use crate::run::{self, run};
use crate::servers::contender::Contender;
use crate::servers::peer::Peer;
use crate::servers::server::{Cpus, Server};
use crate::servers::stack::Stack;

/// The measured servers, and their processors.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Roster {
    /// Servers of this program to compare, separated by commas. Ratios need the floor, and what an
    /// adapter's framework has of its own, to be among them.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SERVER,…", default_values_t = Stack::value_variants())]
    contenders: Vec<Stack>,
    /// Servers of others to compare, separated by commas; one that is not installed is skipped.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SERVER,…")]
    peers: Vec<Peer>,
    /// Binary of the hub, to be compared too, also with streams as bodies.
    #[arg(long, value_name = "PROGRAM")]
    hub: Option<PathBuf>,
    /// A further argument for the hub; may be given again.
    #[arg(long = "hub-arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
    hub_arguments: Vec<String>,
    /// A further server that prints its address, as `NAME=hub:PROGRAM ARGUMENT…` or `NAME=plain:…`;
    /// may be given again.
    #[arg(long = "also", value_name = "SERVER")]
    also: Vec<Contender>,
    /// Processor of the servers [default: the first that this process may use].
    #[arg(long)]
    server_cpu: Option<usize>,
    /// Processor of the load [default: the second].
    #[arg(long)]
    load_cpu: Option<usize>,
}

/// The arguments of `load compare`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    roster: Roster,
    /// Measurements of each server; the table has their medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Folder of `benchmarks.md`, of which only the section between the markers is written, and
    /// `benchmarks.svg`.
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
    #[command(flatten)]
    keeping: Keeping,
    #[command(flatten)]
    volume: Volume,
}

/// Measures everything, writes the table and the plot, and returns the rounds' reports by server;
/// empty if the time was not enough.
///
/// # Errors
///
/// If a server cannot be measured at all. Faults in delivery are in the table and in the reports.
pub(crate) fn compare(options: &Options) -> anyhow::Result<Vec<Summary>> {
    ensure!(options.rounds > 0, "--rounds must be at least 1");
    let contenders = options.roster.contenders(options.volume.streams)?;
    let cpus = options.roster.cpus()?;
    let setting = format!("{:?}", options.volume);
    // Each round starts with another server, so that a drift of the machine favours none.
    let turns = (0..options.rounds)
        .flat_map(|round| (0..contenders.len()).map(move |place| (round, place)));
    let turns: Vec<_> = turns
        .map(|(round, place)| (round, &contenders[(place + round) % contenders.len()]))
        .collect();
    let wanted: Vec<_> = turns
        .iter()
        .map(|(round, contender)| (contender.name.clone(), *round, setting.clone()))
        .collect();
    let mut results = Results::open(&options.keeping)?;
    if !results.complete(&wanted, |index| {
        measure(turns[index].1, &cpus, &options.volume)
    })? {
        return Ok(Vec::new());
    }
    let rounds = |contender: &Contender| {
        (0..options.rounds)
            .filter_map(|round| results.get(&contender.name, round, &setting).cloned())
            .collect()
    };
    let measured = contenders.iter().map(|contender| Measured {
        contender: contender.clone(),
        rounds: rounds(contender),
    });
    let summaries = Summary::all(measured.collect());
    write(options, &summaries)?;
    Ok(summaries)
}

impl Roster {
    /// Returns the servers, with room for `streams` streams.
    pub(crate) fn contenders(&self, streams: usize) -> anyhow::Result<Vec<Contender>> {
        let load = std::env::current_exe().context("finding this program")?;
        let hubs = self
            .hub
            .as_deref()
            .map(|hub| Contender::hubs(hub, streams, &self.hub_arguments));
        let own = self
            .contenders
            .iter()
            .map(|stack| Contender::own(&load, *stack));
        let peers = self.peers.iter().filter_map(|peer| match peer.contender() {
            Ok(contender) => Some(contender),
            Err(why) => {
                eprintln!("{} is skipped: {why}", peer.command());
                None
            }
        });
        let contenders: Vec<_> = own
            .chain(hubs.into_iter().flatten())
            .chain(peers)
            .chain(self.also.iter().cloned())
            .collect();
        let mut names: Vec<_> = contenders
            .iter()
            .map(|contender| contender.name.as_str())
            .collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[name, next]| name == next) {
            bail!("{name} cannot be compared with itself");
        }
        ensure!(!contenders.is_empty(), "no server to compare was given");
        Ok(contenders)
    }

    /// Returns one processor for the server, another for the load.
    pub(crate) fn cpus(&self) -> anyhow::Result<Cpus> {
        let allowed = allowed_cpus()?;
        let choose = |given: Option<usize>, place: usize| {
            given
                .or_else(|| allowed.get(place).copied())
                .context("two processors are needed")
        };
        Ok(Cpus {
            server: vec![choose(self.server_cpu, 0)?],
            load: vec![choose(self.load_cpu, 1)?],
        })
    }

    /// Returns the options as the command line spells them, with programs by name so that no folder
    /// of this machine is published.
    pub(crate) fn command(&self) -> String {
        let Self {
            contenders,
            peers,
            hub,
            hub_arguments,
            also,
            ..
        } = self;
        let contenders: Vec<_> = contenders.iter().map(|stack| stack.command()).collect();
        let peers: Vec<_> = peers.iter().map(|peer| peer.command()).collect();
        let mut command = format!(" --contenders {}", contenders.join(","));
        if !peers.is_empty() {
            command += &format!(" --peers {}", peers.join(","));
        }
        command += &hub
            .iter()
            .map(|hub| format!(" --hub {}", published_path(hub)))
            .collect::<String>();
        command += &hub_arguments
            .iter()
            .map(|argument| format!(" --hub-arg {argument}"))
            .collect::<String>();
        command
            + &also
                .iter()
                .map(|server| format!(" --also '{}=…'", server.name))
                .collect::<String>()
    }
}

/// Starts a server and measures it.
pub(crate) fn measure(
    contender: &Contender,
    cpus: &Cpus,
    volume: &Volume,
) -> anyhow::Result<Report> {
    let server = Server::start(contender, cpus)?;
    let options = run::Options {
        url: server.url().context("the server has no address")?,
        target: contender.layout,
        publish_url: None,
        headers: Vec::new(),
        pid: Some(server.pid()),
        volume: volume.clone(),
    };
    run(&options).with_context(|| format!("measuring {}", contender.name))
}

fn write(options: &Options, summaries: &[Summary]) -> anyhow::Result<()> {
    let Options {
        docs,
        volume,
        rounds,
        ..
    } = options;
    fs::create_dir_all(docs).with_context(|| format!("making {}", docs.display()))?;
    let setting = format!(
        "{} streams, {}-byte payloads, median of {rounds} rounds. {}: the server on one core, the load on another.",
        table::thousands(volume.streams as f64),
        volume.payload,
        machine::describe(),
    );
    eprintln!("\n{}", table::table(summaries));
    let section = table::section(&setting, &command(options), summaries);
    let path = docs.join("benchmarks.md");
    let page = if path.exists() {
        read(&path)?
    } else {
        "# Benchmarks\n".to_owned()
    };
    save(&path, &table::replace_section(&page, "compare", &section)?)?;
    save(
        &docs.join("benchmarks.svg"),
        &plot::draw(&setting, summaries),
    )
}

/// Returns the command line that repeats the measurement.
fn command(options: &Options) -> String {
    let Options {
        roster,
        volume,
        rounds,
        ..
    } = options;
    let Volume {
        streams,
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
        "cargo run --release -p benches --bin load -- compare{} --rounds {rounds} --streams {streams} --payload {payload} \
         --seconds {seconds}{interval} --burst {burst} --bursts {bursts} --window {window} --nap {nap}",
        roster.command(),
    )
}

pub(crate) fn published_path(program: &Path) -> String {
    format!(
        "target/release/{}",
        program.file_name().unwrap_or_default().to_string_lossy()
    )
}

pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

pub(crate) fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> anyhow::Result<Options> {
        let words = ["compare"].into_iter().chain(line.split_whitespace());
        Ok(Line::try_parse_from(words)?.options)
    }

    fn names(line: &str) -> anyhow::Result<Vec<String>> {
        Ok(parse(line)?
            .roster
            .contenders(10)?
            .into_iter()
            .map(|contender| contender.name)
            .collect())
    }

    #[test]
    fn compares_all_own_servers_by_default() {
        assert_eq!(names("").unwrap().len(), Stack::value_variants().len());
        assert_eq!(
            names("--contenders sse-actix,floor").unwrap(),
            ["sse-actix", "floor"]
        );
        let more = "--contenders floor --hub target/release/sse-hub --also mine=plain:x";
        assert_eq!(
            names(more).unwrap(),
            ["floor", "sse-hub", "sse-hub, bodies", "mine"]
        );
    }

    #[test]
    fn unknown_or_repeated_servers_are_rejected() {
        assert!(parse("--contenders floor,nginx").is_err());
        assert!(names("--contenders floor,sse-axum,floor").is_err());
        assert!(names("--contenders sse-axum --also sse-axum=plain:x").is_err());
    }

    #[test]
    fn the_published_command_measures_the_same() {
        let line = "--contenders floor,sse-hyper --peers nchan --rounds 7 --streams 30 --payload 99 --seconds 2 --interval 9 --burst 8 \
                    --bursts 3 --window 2 --nap 0";
        let published = command(&parse(line).unwrap());
        let (_, published) = published.split_once(" compare ").unwrap();
        let again = parse(published).unwrap();
        assert_eq!(format!("{again:?}"), format!("{:?}", parse(line).unwrap()));
    }
}
