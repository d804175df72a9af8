//! Draws plans.

use std::{ops::RangeInclusive, time::Duration};

use rand::{
    RngExt,
    rngs::StdRng,
    seq::{IndexedMutRandom, IndexedRandom, SliceRandom},
};

use crate::{
    fault::{Fault, FaultStep, Lasts, Then},
    guests::Sort,
    node_clients::BrowserClient,
    plan::{Layout, NODES, Plan, RunLength, Wire},
};

/// Draws plans.
pub(crate) struct Draw {
    pub(crate) dice: StdRng,
    pub(crate) form: RunLength,
}

/// Seconds in the long and in the short form.
pub(crate) type SecondsRange = (RangeInclusive<f64>, RangeInclusive<f64>);

impl Draw {
    pub(crate) fn node(&mut self) -> usize {
        self.dice.random_range(0..NODES)
    }

    pub(crate) fn half_open_link(&mut self) -> Fault {
        let node = self.node();
        if self.dice.random() {
            Fault::LinkFrozen(node)
        } else {
            Fault::LinkBlackHoled(node)
        }
    }

    /// Creates a plan that black-holes the connections in one round, and in no more: they keep
    /// their file descriptors to the end.
    pub(crate) fn half_open_clients(&mut self) -> Plan {
        let mut plan = self.rounds(3, |_| Fault::ClientsFrozen, &(5.0..=12.0, 3.0..=5.0));
        if let Some(step) = plan.steps.choose_mut(&mut self.dice) {
            step.faults = vec![Fault::ClientsBlackHoled];
        }
        plan
    }

    pub(crate) fn time(&mut self, (long, short): &SecondsRange) -> Duration {
        let range = if self.form == RunLength::Long {
            long
        } else {
            short
        }
        .clone();
        Duration::from_secs_f64(self.dice.random_range(range))
    }

    /// Draws one fault after the other; in the short form only one.
    pub(crate) fn rounds(
        &mut self,
        long: usize,
        mut fault: impl FnMut(&mut Self) -> Fault,
        seconds: &SecondsRange,
    ) -> Plan {
        let count = if self.form == RunLength::Long {
            long
        } else {
            1
        };
        let step = |_| {
            let faults = vec![fault(self)];
            FaultStep {
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

    pub(crate) fn losses(&mut self) -> Plan {
        let mut faults = [Fault::BrokerEmptied, Fault::BrokerLost];
        faults.shuffle(&mut self.dice);
        let mut faults = faults.into_iter().cycle();
        let next = |_: &mut Self| faults.next().unwrap_or(Fault::BrokerLost);
        self.rounds(4, next, &(1.0..=3.0, 0.5..=1.5))
    }

    pub(crate) fn clock(&mut self) -> Plan {
        let mut plan = self.rounds(2, |_| Fault::ClockSetBack, &(2.0..=5.0, 2.0..=3.0));
        if let Some(last) = plan.steps.last_mut() {
            last.faults.push(Fault::BrokerKilled);
        }
        plan
    }

    pub(crate) fn hub_clocks(&mut self) -> Plan {
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

    pub(crate) fn sentinels(&mut self, wire: Wire) -> Plan {
        let plan = self.rounds(2, |_| Fault::PrimaryKilled, &(1.0..=4.0, 0.5..=1.5));
        Plan {
            layout: Layout::Sentinels(wire),
            ..plan
        }
    }

    /// Creates a plan that restarts all hubs: in turn, then at once, then at once while the broker
    /// is unavailable, so that they start without a log, and at last by `kill -9`.
    pub(crate) fn restarts(&mut self, browser: BrowserClient) -> Plan {
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
            plan.steps.push(FaultStep {
                faults,
                lasts,
                then: Then::CatchUp,
            });
        }
        Plan { browser, ..plan }
    }

    pub(crate) fn guests(
        &mut self,
        sort: Sort,
        (long, short): (usize, usize),
        seconds: &SecondsRange,
    ) -> Plan {
        let count = if self.form == RunLength::Long {
            long
        } else {
            short
        };
        self.rounds(2, |_| Fault::Guests(sort, count), seconds)
    }

    /// Creates a plan with forgers: alone, then during another fault. The short form has only the
    /// latter.
    pub(crate) fn forgers(&mut self) -> Plan {
        let mut plan = self.guests(Sort::Forgers, (50, 20), &(5.0..=10.0, 3.0..=5.0));
        let others = [Fault::BrokerKilled, Fault::NodeKilled(self.node())];
        if let (Some(step), Some(other)) = (plan.steps.last_mut(), others.choose(&mut self.dice)) {
            step.faults.insert(0, *other);
        }
        plan
    }

    pub(crate) fn drops(&mut self) -> Plan {
        let count = if self.form == RunLength::Long { 6 } else { 2 };
        let mut steps: Vec<_> = (0..count)
            .map(|_| FaultStep {
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

    pub(crate) fn trimming(&mut self) -> Plan {
        let entries = 100;
        let disconnect = |draw: &mut Self| FaultStep {
            faults: vec![Fault::ClientsDropped],
            lasts: Lasts::Events(draw.dice.random_range(4 * entries..6 * entries)),
            then: Then::CatchUp,
        };
        let count = if self.form == RunLength::Long { 2 } else { 1 };
        let steps = (0..count).map(|_| disconnect(self)).collect();
        Plan {
            settings: ["--log-entries".to_owned(), entries.to_string()].to_vec(),
            trims: true,
            steps,
            ..Plan::default()
        }
    }

    pub(crate) fn storm(&mut self) -> Plan {
        let events = if self.form == RunLength::Long {
            500
        } else {
            200
        };
        let step = FaultStep {
            faults: vec![Fault::ClientsDropped],
            lasts: Lasts::Events(events),
            then: Then::CatchUp,
        };
        Plan {
            steps: vec![step],
            ..Plan::default()
        }
    }

    pub(crate) fn mixed(&mut self) -> Plan {
        let count = if self.form == RunLength::Long { 5 } else { 1 };
        let steps = (0..count).map(|_| self.mixture()).collect();
        Plan {
            steps,
            ..Plan::default()
        }
    }

    /// Creates a step with two faults at once: one of the broker or of a link to it, the other of a
    /// node or of all clients.
    pub(crate) fn mixture(&mut self) -> FaultStep {
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
        FaultStep {
            faults,
            lasts: Lasts::Time(self.time(&(2.0..=8.0, 1.0..=2.5))),
            then: Then::CatchUp,
        }
    }
}
