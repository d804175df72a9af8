//! Scenarios: plans, drawn from a seed.

use rand::RngExt;

use crate::{
    broker::BrokerKind,
    draw::Draw,
    fault::Fault,
    guests::Sort,
    node_clients::BrowserClient,
    plan::{Layout, Plan, RunLength, SERVERS, Wire},
    seed::Seed,
};

/// A kind of plan.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Brokers with which the scenario makes sense, and the shortest form that includes it with
    /// each.
    on: &'static [(BrokerKind, RunLength)],
    draw: fn(&mut Draw) -> Plan,
}

use BrokerKind::{Nats, Redis};
use RunLength::{Long, Short};

/// Both brokers; in the short form Redis alone.
const SHORT_ON_REDIS: &[(BrokerKind, RunLength)] = &[(Redis, Short), (Nats, Long)];
const SHORT: &[(BrokerKind, RunLength)] = &[(Redis, Short), (Nats, Short)];
const LONG: &[(BrokerKind, RunLength)] = &[(Redis, Long), (Nats, Long)];

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
        about: "the clock of one hub is set back by an hour and right again, twice, then those of all hubs, and a hub is killed meanwhile",
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
        about: "kill -9 of one server of three, several times",
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
        about: "kill -9 of one node, several times",
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
        draw: |draw| draw.restarts(BrowserClient::EventSource),
    },
    Scenario {
        name: "tabs",
        about: "tabs that share a stream and store their positions, closed and restored, through restarts of all hubs",
        on: LONG,
        draw: |draw| draw.restarts(BrowserClient::Tabs),
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
        about: "a fault of the broker or of a link, and one of a node or of all clients",
        on: SHORT_ON_REDIS,
        draw: Draw::mixed,
    },
];

impl Scenario {
    /// Returns `true` if the scenario is played with this broker in this form.
    pub(crate) fn is_for(&self, kind: BrokerKind, form: RunLength) -> bool {
        self.on
            .iter()
            .any(|&(on, least)| on == kind && (form == Long || least == Short))
    }

    /// Draws the plan for a seed.
    pub(crate) fn plan(&self, seed: Seed, form: RunLength) -> Plan {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Then;

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
