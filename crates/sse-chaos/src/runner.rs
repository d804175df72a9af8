//! The run, from the command line to the exit code.

use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    broker::BrokerKind,
    cli::Cli,
    error::Error,
    run_scenario::run_scenario,
    scenario::{SCENARIOS, Scenario},
    scoreboard::{HEAD, Sabotage, Score, judge},
    seed::Seed,
};

/// Plays the requested scenarios. The exit code is a failure if the promise was broken.
///
/// # Errors
///
/// A message if a scenario could not be played.
pub fn run(cli: &Cli) -> Result<ExitCode, Error> {
    if cli.list {
        SCENARIOS
            .iter()
            .for_each(|scenario| println!("{:<18} {}", scenario.name, scenario.about));
        return Ok(ExitCode::SUCCESS);
    }
    make_room()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // On a signal, all clients and processes are dropped, which ends them.
        tokio::select! {
            code = all(cli) => code,
            name = interrupted() => Err(Error::new(format!("ended by {}", name?))),
        }
    })
}

async fn interrupted() -> Result<&'static str, Error> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = interrupt.recv() => Ok("SIGINT"),
        _ = terminate.recv() => Ok("SIGTERM"),
    }
}

async fn all(cli: &Cli) -> Result<ExitCode, Error> {
    let first = cli.seed();
    let mut scores = Vec::new();
    for seed in first..first + cli.rounds {
        for (kind, scenario) in cli.chosen() {
            scores.push(one(cli, seed, kind, scenario).await?);
        }
    }
    Ok(report(&scores))
}

async fn one(
    cli: &Cli,
    number: u64,
    kind: BrokerKind,
    scenario: &Scenario,
) -> Result<Score, Error> {
    let (seed, size) = (Seed::new(number), cli.size());
    let plan = scenario.plan(seed, cli.form());
    let again = format!(
        "--seed {number} --broker {} --only {}",
        kind.as_str(),
        scenario.name
    );
    println!(
        "== {} ({again}), {} clients, {} of them browsers'",
        scenario.about, size.clients, size.browsers
    );
    print!("{plan}");
    let folder = TempDir::with_prefix("sse-chaos-")?;
    let path = folder.path().to_owned();
    if cli.keep {
        println!("  in {}", folder.keep().display());
    }
    let result = run_scenario(&plan, kind, seed, &size, &path).await;
    let result = result.map_err(|error| Error::new(format!("{again}: {error}")))?;
    let sabotage = if cli.sabotage {
        Sabotage::Swallow
    } else {
        Sabotage::None
    };
    let name = format!("{} {}", kind.as_str(), scenario.name);
    let score = judge(name, &plan, result, sabotage)?;
    println!("{score}");
    for problem in &score.problems {
        println!("  WRONG: {problem}");
    }
    Ok(score)
}

/// Prints the scoreboard.
fn report(scores: &[Score]) -> ExitCode {
    println!("\n{HEAD}");
    scores.iter().for_each(|score| println!("{score}"));
    let wrong: Vec<_> = scores
        .iter()
        .filter(|score| !score.problems.is_empty())
        .map(|score| score.name.as_str())
        .collect();
    if wrong.is_empty() {
        println!("\nno event was lost without a gap");
        return ExitCode::SUCCESS;
    }
    println!("\nthe promise was broken in: {}", wrong.join(", "));
    ExitCode::FAILURE
}

/// Raises the soft limit of open files: a client needs three, one for itself and two for its way
/// through the balancer.
fn make_room() -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|error| Error::from(std::io::Error::from(error)))
}
