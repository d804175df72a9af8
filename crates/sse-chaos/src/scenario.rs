//! Scenarios: plans, drawn from a seed.

use std::{fmt, ops::RangeInclusive, time::Duration};

use rand::{
    RngExt,
    rngs::StdRng,
    seq::{IndexedMutRandom, IndexedRandom, SliceRandom},
};

use crate::{
    broker::BrokerKind,
    fault::{Fault, Lasts, Step, Then},
    guests::Sort,
    node_clients::BrowserClient,
    seed::Seed,
};

/// Number of hubs.
pub(crate) const NODES: usize = 3;

/// Number of servers in a NATS cluster.
pub(crate) const SERVERS: usize = 3;

/// The length of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Fewer rounds, just long enough that nodes and clients notice the fault.
    Short,
    Long,
}

/// A kind of plan.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Brokers with which the scenario makes sense, and the shortest form that includes it with
    /// each.
    on: &'static [(BrokerKind, Form)],
    draw: fn(&mut Draw) -> Plan,
}

use BrokerKind::{Nats, Redis};
use Form::{Long, Short};

/// Both brokers; in the short form Redis alone.
const SHORT_ON_REDIS: &[(BrokerKind, Form)] = &[(Redis, Short), (Nats, Long)];
const SHORT: &[(BrokerKind, Form)] = &[(Redis, Short), (Nats, Short)];
const LONG: &[(BrokerKind, Form)] = &[(Redis, Long), (Nats, Long)];

/// All scenarios, in the order in which they are played.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "broker-killed",
        about: "kill -9 of the broker, which restarts with its data",
        on: SHORT,
        draw: |draw| draw.rounds(3, |_| Fault::BrokerKilled, &(2.0..=6.0, 0.5..=2.0)),
    },
    Scenario {
        name: "broker-paused",
        about: "SIGSTOP of the broker",
        on: LONG,
        draw: |draw| draw.rounds(2, |_| Fault::BrokerPaused, &(2.0..=12.0, 1.0..=3.0)),
    },
    Scenario {
        name: "broker-emptied",
        about: "FLUSHALL or a deleted stream, and a broker that restarts empty",
        on: SHORT_ON_REDIS,
        draw: Draw::losses,
    },
    Scenario {
        name: "failover",
        about: "a replica without the last entries takes the broker's place",
        on: &[(Redis, Long)],
        draw: |draw| Plan {
            layout: Layout::Replica,
            ..draw.rounds(1, |_| Fault::FailOver, &(2.0..=4.0, 1.0..=2.0))
        },
    },
    Scenario {
        name: "clock-set-back",
        about: "the clock of the broker is an hour earlier than the ids in its log, and the broker is killed",
        on: &[(Redis, Long)],
        draw: Draw::clock,
    },
    Scenario {
        name: "hub-clocks",
        about: "the clock of one hub after the other is set back by an hour and right again, and a hub is killed meanwhile",
        on: LONG,
        draw: Draw::hub_clocks,
    },
    Scenario {
        name: "sentinels",
        about: "kill -9 of the primary, and sentinels promote the replica",
        on: &[(Redis, Long)],
        draw: |draw| draw.sentinels(Wire::Plain),
    },
    Scenario {
        name: "sentinels-tls",
        about: "the same with TLS",
        on: &[(Redis, Long)],
        draw: |draw| draw.sentinels(Wire::Tls),
    },
    Scenario {
        name: "cluster",
        about: "kill -9 of one server of three after the other",
        on: &[(Nats, Long)],
        draw: |draw| Plan {
            layout: Layout::Cluster,
            ..draw.rounds(
                3,
                |draw| Fault::ServerKilled(draw.dice.random_range(0..SERVERS)),
                &(5.0..=15.0, 5.0..=8.0),
            )
        },
    },
    Scenario {
        name: "link-half-open",
        about: "the link between one node and the broker is half-open",
        on: LONG,
        draw: |draw| draw.rounds(4, Draw::half_open_link, &(6.0..=15.0, 4.0..=8.0)),
    },
    Scenario {
        name: "node-cut-off",
        about: "one node is cut off from the broker",
        on: SHORT_ON_REDIS,
        draw: |draw| {
            draw.rounds(
                3,
                |draw| Fault::LinkCut(draw.node()),
                &(3.0..=8.0, 1.0..=2.0),
            )
        },
    },
    Scenario {
        name: "node-paused",
        about: "SIGSTOP of one node",
        on: SHORT_ON_REDIS,
        draw: |draw| {
            draw.rounds(
                1,
                |draw| Fault::NodePaused(draw.node()),
                &(30.0..=30.0, 3.0..=5.0),
            )
        },
    },
    Scenario {
        name: "node-killed",
        about: "kill -9 of one node after the other",
        on: SHORT,
        draw: |draw| {
            draw.rounds(
                4,
                |draw| Fault::NodeKilled(draw.node()),
                &(1.0..=4.0, 0.5..=1.5),
            )
        },
    },
    Scenario {
        name: "rolling-restart",
        about: "SIGTERM and a new start of each node in turn",
        on: SHORT_ON_REDIS,
        draw: |draw| draw.rounds(2, |_| Fault::RollingRestart, &(0.5..=2.0, 0.1..=0.5)),
    },
    Scenario {
        name: "event-sources",
        about: "native EventSources in Chromium, through restarts of all hubs, in turn and at once",
        on: LONG,
        draw: Draw::event_sources,
    },
    Scenario {
        name: "drops",
        about: "two seconds without a network for all clients, again and again",
        on: SHORT,
        draw: Draw::drops,
    },
    Scenario {
        name: "clients-half-open",
        about: "the links between clients and nodes are half-open",
        on: LONG,
        draw: Draw::half_open_clients,
    },
    Scenario {
        name: "trimming",
        about: "clients are disconnected for longer than the retention of the log",
        on: SHORT_ON_REDIS,
        draw: Draw::trimming,
    },
    Scenario {
        name: "resume-storm",
        about: "all clients return at once and have missed many events",
        on: LONG,
        draw: Draw::storm,
    },
    Scenario {
        name: "forged-ids",
        about: "guests connect repeatedly with forged ids, while the broker or a node is killed",
        on: LONG,
        draw: Draw::forgers,
    },
    Scenario {
        name: "slow-readers",
        about: "hundreds of guests read nothing, or a byte a second",
        on: LONG,
        draw: |draw| draw.guests(Sort::SlowReaders, (300, 60), &(20.0..=40.0, 12.0..=15.0)),
    },
    Scenario {
        name: "newcomers",
        about: "10,000 guests connect at once",
        on: LONG,
        draw: |draw| draw.guests(Sort::Newcomers, (10_000, 1_000), &(5.0..=10.0, 2.0..=3.0)),
    },
    Scenario {
        name: "mixed",
        about: "any two faults at once",
        on: SHORT_ON_REDIS,
        draw: Draw::mixed,
    },
];

impl Scenario {
    /// Returns `true` if the scenario is played with this broker in this form.
    pub(crate) fn is_for(&self, kind: BrokerKind, form: Form) -> bool {
        self.on
            .iter()
            .any(|&(on, least)| on == kind && (form == Long || least == Short))
    }

    /// Draws the plan for a seed.
    pub(crate) fn plan(&self, seed: Seed, form: Form) -> Plan {
        let mut draw = Draw {
            dice: seed.dice(self.name),
            form,
        };
        let mut plan = (self.draw)(&mut draw);
        // Events in a node's memory cost no read of the broker. With a minimal buffer the nodes
        // must read.
        if draw.dice.random() {
            plan.settings
                .extend(["--backplane-memory", "4096"].map(str::to_owned));
        }
        plan
    }
}

/// The expectation of gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// Nothing is lost, so no client may receive a gap.
    Never,
    Perhaps,
    /// Events are lost, so some client must receive a gap.
    Surely,
}

/// The arrangement of the brokers that the nodes share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layout {
    /// One broker.
    #[default]
    One,
    /// A Redis, and a replica that may replace it.
    Replica,
    /// A Redis, a replica, and sentinels.
    Sentinels(Wire),
    /// Servers of NATS, each with the whole log.
    Cluster,
}

/// The transport between servers, sentinels and nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Plain,
    Tls,
}

/// The steps of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// Flags of the hubs.
    pub(crate) settings: Vec<String>,
    pub(crate) layout: Layout,
    /// Client of the browsers.
    pub(crate) browser: BrowserClient,
    /// Set if clients are disconnected for longer than the log reaches back.
    pub(crate) trims: bool,
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    /// Returns the maximum number of simultaneous guests.
    pub(crate) fn guests(&self) -> usize {
        let faults = self.steps.iter().flat_map(|step| &step.faults);
        let counts = faults.map(|fault| {
            if let Fault::Guests(_, count) = fault {
                *count
            } else {
                0
            }
        });
        counts.max().unwrap_or_default()
    }

    /// Returns `true` if clocks of hubs are set.
    pub(crate) fn sets_clocks(&self) -> bool {
        self.steps
            .iter()
            .flat_map(|step| &step.faults)
            .any(|fault| matches!(fault, Fault::NodeClock(_)))
    }

    /// Returns the expectation of gaps.
    pub(crate) fn gaps(&self) -> Gaps {
        let mut faults = self.steps.iter().flat_map(|step| &step.faults);
        match () {
            () if self.trims || faults.any(|fault| fault.loses_the_log()) => Gaps::Surely,
            () if matches!(self.layout, Layout::Replica | Layout::Sentinels(_)) => Gaps::Perhaps,
            () => Gaps::Never,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.settings.is_empty() {
            writeln!(f, "  hubs with {}", self.settings.join(" "))?;
        }
        self.steps
            .iter()
            .enumerate()
            .try_for_each(|(index, step)| writeln!(f, "  {}. {step}", index + 1))
    }
}

/// Draws plans.
struct Draw {
    dice: StdRng,
    form: Form,
}

/// Seconds in the long and in the short form.
type Seconds = (RangeInclusive<f64>, RangeInclusive<f64>);

impl Draw {
    fn node(&mut self) -> usize {
        self.dice.random_range(0..NODES)
    }

    fn half_open_link(&mut self) -> Fault {
        let node = self.node();
        if self.dice.random() {
            Fault::LinkFrozen(node)
        } else {
            Fault::LinkBlackHoled(node)
        }
    }

    /// Creates a plan that black-holes the connections in one round, and in no more: they keep
    /// their file descriptors to the end.
    fn half_open_clients(&mut self) -> Plan {
        let mut plan = self.rounds(3, |_| Fault::ClientsFrozen, &(5.0..=12.0, 3.0..=5.0));
        if let Some(step) = plan.steps.choose_mut(&mut self.dice) {
            step.faults = vec![Fault::ClientsBlackHoled];
        }
        plan
    }

    fn time(&mut self, (long, short): &Seconds) -> Duration {
        let range = if self.form == Long { long } else { short }.clone();
        Duration::from_secs_f64(self.dice.random_range(range))
    }

    /// Draws one fault after the other; in the short form only one.
    fn rounds(
        &mut self,
        long: usize,
        mut fault: impl FnMut(&mut Self) -> Fault,
        seconds: &Seconds,
    ) -> Plan {
        let count = if self.form == Long { long } else { 1 };
        let step = |_| {
            let faults = vec![fault(self)];
            Step {
                faults,
                lasts: Lasts::Time(self.time(seconds)),
                then: Then::CatchUp,
            }
        };
        Plan {
            steps: (0..count).map(step).collect(),
            ..Plan::default()
        }
    }

    fn losses(&mut self) -> Plan {
        let mut faults = [Fault::BrokerEmptied, Fault::BrokerLost];
        faults.shuffle(&mut self.dice);
        let mut faults = faults.into_iter().cycle();
        let next = |_: &mut Self| faults.next().unwrap_or(Fault::BrokerLost);
        self.rounds(4, next, &(1.0..=3.0, 0.5..=1.5))
    }

    fn clock(&mut self) -> Plan {
        let mut plan = self.rounds(2, |_| Fault::ClockSetBack, &(2.0..=5.0, 2.0..=3.0));
        if let Some(last) = plan.steps.last_mut() {
            last.faults.push(Fault::BrokerKilled);
        }
        plan
    }

    fn hub_clocks(&mut self) -> Plan {
        let mut plan = self.rounds(
            3,
            |draw| Fault::NodeClock(draw.node()),
            &(5.0..=10.0, 3.0..=4.0),
        );
        if let Some(last) = plan.steps.last_mut() {
            last.faults = (0..NODES).map(Fault::NodeClock).collect();
            last.faults.push(Fault::NodeKilled(self.node()));
        }
        plan
    }

    fn sentinels(&mut self, wire: Wire) -> Plan {
        let plan = self.rounds(2, |_| Fault::PrimaryKilled, &(1.0..=4.0, 0.5..=1.5));
        Plan {
            layout: Layout::Sentinels(wire),
            ..plan
        }
    }

    /// Creates a plan that restarts all hubs: in turn, then at once, then at once while the broker
    /// is unavailable, so that they start without a log, and at last by `kill -9`.
    fn event_sources(&mut self) -> Plan {
        let mut plan = self.rounds(1, |_| Fault::RollingRestart, &(0.5..=2.0, 0.1..=0.5));
        let all = (0..NODES).map(Fault::NodeKilled).collect();
        let short = (1.0..=4.0, 0.5..=1.5);
        // A hub without its broker accepts connections after 10 s.
        let long = (12.0..=15.0, 12.0..=13.0);
        let restarts = [
            (vec![Fault::NodesRestarted], &short),
            (vec![Fault::BrokerKilled, Fault::NodesRestarted], &long),
            (all, &short),
        ];
        for (faults, seconds) in restarts {
            let lasts = Lasts::Time(self.time(seconds));
            plan.steps.push(Step {
                faults,
                lasts,
                then: Then::CatchUp,
            });
        }
        Plan {
            browser: BrowserClient::EventSource,
            ..plan
        }
    }

    fn guests(&mut self, sort: Sort, (long, short): (usize, usize), seconds: &Seconds) -> Plan {
        let count = if self.form == Long { long } else { short };
        self.rounds(2, |_| Fault::Guests(sort, count), seconds)
    }

    /// Creates a plan with forgers: alone, then during another fault. The short form has only the
    /// latter.
    fn forgers(&mut self) -> Plan {
        let mut plan = self.guests(Sort::Forgers, (50, 20), &(5.0..=10.0, 3.0..=5.0));
        let others = [Fault::BrokerKilled, Fault::NodeKilled(self.node())];
        if let (Some(step), Some(other)) = (plan.steps.last_mut(), others.choose(&mut self.dice)) {
            step.faults.insert(0, *other);
        }
        plan
    }

    fn drops(&mut self) -> Plan {
        let count = if self.form == Long { 6 } else { 2 };
        let mut steps: Vec<_> = (0..count)
            .map(|_| Step {
                faults: vec![Fault::ClientsDropped],
                lasts: Lasts::Time(Duration::from_secs(2)),
                then: Then::GoOn(self.time(&(0.0..=4.0, 0.0..=1.5))),
            })
            .collect();
        if let Some(last) = steps.last_mut() {
            last.then = Then::CatchUp;
        }
        Plan {
            steps,
            ..Plan::default()
        }
    }

    fn trimming(&mut self) -> Plan {
        let entries = 100;
        let disconnect = |draw: &mut Self| Step {
            faults: vec![Fault::ClientsDropped],
            lasts: Lasts::Events(draw.dice.random_range(4 * entries..6 * entries)),
            then: Then::CatchUp,
        };
        let count = if self.form == Long { 2 } else { 1 };
        let steps = (0..count).map(|_| disconnect(self)).collect();
        Plan {
            settings: ["--log-entries".to_owned(), entries.to_string()].to_vec(),
            trims: true,
            steps,
            ..Plan::default()
        }
    }

    fn storm(&mut self) -> Plan {
        let events = if self.form == Long { 500 } else { 200 };
        let step = Step {
            faults: vec![Fault::ClientsDropped],
            lasts: Lasts::Events(events),
            then: Then::CatchUp,
        };
        Plan {
            steps: vec![step],
            ..Plan::default()
        }
    }

    fn mixed(&mut self) -> Plan {
        let count = if self.form == Long { 5 } else { 1 };
        let steps = (0..count).map(|_| self.mixture()).collect();
        Plan {
            steps,
            ..Plan::default()
        }
    }

    /// Creates a step with two faults at once: one of the broker or of a link to it, the other of a
    /// node or of all clients.
    fn mixture(&mut self) -> Step {
        let node = self.node();
        let inner = [
            Fault::BrokerKilled,
            Fault::BrokerLost,
            Fault::BrokerEmptied,
            Fault::BrokerPaused,
            Fault::LinkCut(node),
            Fault::LinkFrozen(node),
            Fault::LinkBlackHoled(node),
        ];
        let outer = [
            Fault::ClientsDropped,
            Fault::NodeKilled(self.node()),
            Fault::NodePaused(self.node()),
        ];
        let mut one_of = |faults: &[Fault]| faults.choose(&mut self.dice).copied();
        let faults = one_of(&inner).into_iter().chain(one_of(&outer)).collect();
        Step {
            faults,
            lasts: Lasts::Time(self.time(&(2.0..=8.0, 1.0..=2.5))),
            then: Then::CatchUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_plan() {
        for scenario in SCENARIOS {
            for form in [Short, Long] {
                let plan = |seed| scenario.plan(Seed::new(seed), form);
                assert_eq!(plan(1), plan(1), "{}", scenario.name);
                assert!(!plan(1).steps.is_empty(), "{}", scenario.name);
                assert!(
                    (2..20).any(|seed| plan(seed) != plan(1)),
                    "{}",
                    scenario.name
                );
            }
        }
    }

    #[test]
    fn every_plan_ends_with_all_clients_caught_up() {
        for scenario in SCENARIOS {
            for seed in 0..20 {
                let plan = scenario.plan(Seed::new(seed), Long);
                assert_eq!(
                    plan.steps.last().map(|step| step.then),
                    Some(Then::CatchUp),
                    "{}",
                    scenario.name
                );
            }
        }
    }

    #[test]
    fn both_forms_have_both_brokers() {
        for form in [Short, Long] {
            for kind in [Redis, Nats] {
                assert!(SCENARIOS.iter().any(|scenario| scenario.is_for(kind, form)));
            }
        }
        assert!(
            SCENARIOS
                .iter()
                .all(|scenario| scenario.is_for(Redis, Long) || scenario.is_for(Nats, Long))
        );
    }
}
