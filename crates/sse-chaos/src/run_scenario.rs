//! A run of one plan.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sse_core::backplane::Cursor;
use tokio::time::{Instant, sleep};

use crate::{
    broker::BrokerKind,
    clients::Clients,
    error::Error,
    fault::{FaultStep, Lasts, Then},
    journal::Journal,
    oracle::{publications::Publication, recovery, subscriber::Subscriber},
    plan::Plan,
    population::Population,
    publisher::Publisher,
    seed::Seed,
    testbed::Testbed,
    wait::LONG,
};

/// The size of a run.
#[derive(Debug, Clone)]
pub(crate) struct Size {
    pub(crate) hub: PathBuf,
    pub(crate) clients: usize,
    /// Number of clients that are the browser's.
    pub(crate) browsers: usize,
    /// Maximum number of events a second.
    pub(crate) rate: u32,
    /// Number of events before each fault.
    pub(crate) calm: u64,
}

/// The outcome of a run.
pub(crate) struct RunResult {
    pub(crate) publications: Vec<Publication>,
    pub(crate) clients: Vec<(Subscriber, Journal)>,
    pub(crate) faults: Vec<recovery::FaultPeriod>,
    /// Times from the repair of each fault until the last client had caught up.
    pub(crate) catching_up: Vec<Duration>,
}

/// Interval after which another fence is published if not everybody has caught up: the previous
/// fence may have been lost with its log.
const NEXT_FENCE: Duration = Duration::from_secs(2);

struct ScenarioRun {
    testbed: Testbed,
    publisher: Publisher,
    clients: Clients,
    catching_up: Vec<Duration>,
}

/// Runs a plan with a broker, in an existing folder.
pub(crate) async fn run_scenario(
    plan: &Plan,
    kind: BrokerKind,
    seed: Seed,
    size: &Size,
    folder: &Path,
) -> Result<RunResult, Error> {
    let population = Arc::new(Population::new(seed, size.clients)?);
    let testbed = Testbed::start((kind, seed), plan, &size.hub, size.clients, folder).await?;
    let publisher = Publisher::new(seed, Arc::clone(&population), testbed.nodes());
    let browsers = (plan.browser, size.browsers);
    let clients = Clients::start(seed, population, testbed.address(), browsers, folder).await?;
    let mut run = ScenarioRun {
        testbed,
        publisher,
        clients,
        catching_up: Vec::new(),
    };
    let result = run.run(plan, size).await;
    let faults = result.map_err(|error| run.explain(&error))?;
    let (publications, catching_up) = (run.publisher.publications(), run.catching_up);
    Ok(RunResult {
        publications,
        clients: run.clients.stop().await?,
        faults,
        catching_up,
    })
}

impl ScenarioRun {
    async fn run(&mut self, plan: &Plan, size: &Size) -> Result<Vec<recovery::FaultPeriod>, Error> {
        // From the first event on, everything is due to everybody.
        self.connect().await?;
        self.publisher.start(size.rate);
        let mut faults = Vec::new();
        for step in &plan.steps {
            self.testbed
                .wait(Lasts::Events(size.calm), &self.publisher)
                .await?;
            faults.push(self.step(step).await?);
        }
        self.publisher.stop().await?;
        self.catch_up().await?;
        Ok(faults)
    }

    async fn step(&mut self, step: &FaultStep) -> Result<recovery::FaultPeriod, Error> {
        let began = Instant::now();
        for fault in &step.faults {
            self.testbed.break_with(*fault).await?;
        }
        self.testbed.wait(step.lasts, &self.publisher).await?;
        for fault in &step.faults {
            self.testbed
                .restore(*fault, Duration::from_millis(200))
                .await?;
        }
        let ended = Instant::now();
        match step.then {
            Then::CatchUp => {
                let time = self.catch_up().await?;
                self.catching_up.push(time);
            }
            Then::GoOn(time) => sleep(time).await,
        }
        let names: Vec<_> = step.faults.iter().map(ToString::to_string).collect();
        Ok(recovery::FaultPeriod {
            name: names.join(" and "),
            began,
            ended,
        })
    }

    /// Waits until every client has a position.
    async fn connect(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        while !self.have_all(None, start).await? {}
        Ok(())
    }

    /// Waits until every client has been served everything that was published before. Returns the
    /// time that it took.
    async fn catch_up(&mut self) -> Result<Duration, Error> {
        let start = Instant::now();
        self.testbed.ready().await?;
        loop {
            let fence = self.publisher.fence().await?;
            let round = Instant::now();
            while round.elapsed() < NEXT_FENCE {
                if fence.is_some() && self.have_all(fence.as_ref(), start).await? {
                    return Ok(start.elapsed());
                }
            }
        }
    }

    /// Checks whether all clients have been served up to a position. Sleeps for a moment if not.
    async fn have_all(&mut self, position: Option<&Cursor>, start: Instant) -> Result<bool, Error> {
        let problems = [
            self.testbed.problem()?,
            self.clients.problem()?,
            self.publisher.problem(),
        ];
        if let Some(problem) = problems.into_iter().flatten().next() {
            return Err(problem);
        }
        let lagging = self.clients.lagging(position);
        if start.elapsed() > LONG {
            return Err(Error::new(format!(
                "{lagging} clients did not catch up within {LONG:?}"
            )));
        }
        if lagging > 0 {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(lagging == 0)
    }

    /// Adds to an error the information that a person at the terminal needs.
    fn explain(&self, error: &Error) -> Error {
        let tails = self.testbed.tails().into_iter().enumerate();
        let tails: String = tails
            .map(|(node, tail)| format!("\n-- node {node} said last:\n{tail}"))
            .collect();
        Error::new(format!("{error}{tails}"))
    }
}
