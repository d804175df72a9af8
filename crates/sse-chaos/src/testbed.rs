//! The running parts: a broker, its nodes, and the links between them.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use sse_testkit::Proxy;
use tokio::time::sleep;

use crate::{
    broker::BrokerKind,
    brokers::Brokers,
    clock::ShiftedClock,
    error::Error,
    fault::{Fault, Lasts},
    guests::Guests,
    node::HubNode,
    plan::{NODES, Plan},
    publisher::Publisher,
    seed::Seed,
    wait::{LONG, until},
};

/// Drain timeout of a node, in seconds.
const DRAIN: &str = "5";

/// A cluster whose parts can be broken one by one.
pub(crate) struct Testbed {
    brokers: Brokers,
    nodes: Vec<HubNode>,
    /// Proxy between the clients and the nodes.
    balancer: Proxy,
    /// Additional streams next to those of the clients.
    guests: Vec<Guests>,
    seed: Seed,
}

/// Returns the arguments of nodes, except for the address of the broker.
fn settings(clients: usize, plan: &Plan) -> Vec<String> {
    // All clients can be connected to one node, and count twice while the node has not ended their
    // former streams.
    let most = (2 * clients + plan.guests() + 100).to_string();
    let common = [
        ["--max-connections", &most],
        ["--heartbeat-interval", "3s"],
        ["--connection-timeout", "10s"],
        ["--retry", "500ms"],
        ["--drain", DRAIN],
        // The balancer does not check whether nodes are ready.
        ["--drain-delay", "0"],
    ];
    common
        .iter()
        .flatten()
        .map(|&word| word.to_owned())
        .chain(plan.settings.iter().cloned())
        .collect()
}

impl Testbed {
    /// Starts everything, and waits until all nodes are ready.
    pub(crate) async fn start(
        (kind, seed): (BrokerKind, Seed),
        plan: &Plan,
        hub: &Path,
        clients: usize,
        folder: &Path,
    ) -> Result<Self, Error> {
        fs::create_dir_all(folder)?;
        let brokers = Brokers::start(kind, plan.layout, folder).await?;
        brokers.ready().await?;
        let mut nodes = Vec::new();
        for index in 0..NODES {
            let more = [brokers.arguments(index), settings(clients, plan)].concat();
            let file = |name: &str| folder.join(format!("{name}-{index}"));
            let clock = plan
                .sets_clocks()
                .then(|| ShiftedClock::new(file("clock")))
                .transpose()?;
            nodes.push(HubNode::start(hub, &more, file("node"), clock)?);
        }
        let balancer = Proxy::balance(nodes.iter().map(HubNode::address)).await?;
        let mut testbed = Self {
            brokers,
            nodes,
            balancer,
            guests: Vec::new(),
            seed,
        };
        testbed.ready().await?;
        testbed.brokers.ready().await?;
        Ok(testbed)
    }

    /// Returns the address to which clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.balancer.address()
    }

    /// Returns the addresses to which publishers connect.
    pub(crate) fn nodes(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(HubNode::address).collect()
    }

    /// Returns the reason if a node ended unasked.
    pub(crate) fn problem(&mut self) -> Result<Option<Error>, Error> {
        for node in &mut self.nodes {
            if let Some(problem) = node.problem()? {
                return Ok(Some(Error::new(problem)));
            }
        }
        Ok(None)
    }

    /// Returns the end of each node's output.
    pub(crate) fn tails(&self) -> Vec<String> {
        self.nodes.iter().map(HubNode::tail).collect()
    }

    /// Injects a fault.
    pub(crate) async fn break_with(&mut self, fault: Fault) -> Result<(), Error> {
        match fault {
            Fault::NodePaused(node) => self.nodes[node].pause()?,
            Fault::NodeKilled(node) => self.nodes[node].kill()?,
            Fault::RollingRestart => {}
            Fault::NodesRestarted => self.restart_all().await?,
            Fault::NodeClock(node) => self.nodes[node].set_clock("-1h")?,
            Fault::ClientsDropped => {
                self.balancer.refuse();
                self.balancer.cut();
            }
            Fault::ClientsFrozen => self.balancer.freeze(),
            Fault::ClientsBlackHoled => self.balancer.black_hole(),
            Fault::Guests(sort, count) => {
                let guests = Guests::start(sort, self.seed, &self.nodes(), count);
                self.guests.push(guests);
            }
            _ => self.brokers.break_with(fault).await?,
        }
        Ok(())
    }

    /// Waits for the duration of a fault.
    pub(crate) async fn wait(&self, lasts: Lasts, publisher: &Publisher) -> Result<(), Error> {
        match lasts {
            Lasts::Time(time) => sleep(time).await,
            Lasts::Events(count) => {
                let end = publisher.acknowledged() + count;
                until("events", LONG, async || Ok(publisher.acknowledged() >= end)).await?;
            }
        }
        Ok(())
    }

    /// Repairs a fault.
    pub(crate) async fn restore(&mut self, fault: Fault, pause: Duration) -> Result<(), Error> {
        match fault {
            Fault::ClientsBlackHoled | Fault::NodesRestarted => {}
            Fault::Guests(..) => {
                for guests in std::mem::take(&mut self.guests) {
                    guests.leave().await?;
                }
            }
            Fault::NodePaused(node) => self.nodes[node].go_on()?,
            Fault::NodeKilled(node) => self.nodes[node].resume()?,
            Fault::NodeClock(node) => self.nodes[node].set_clock("+0")?,
            Fault::RollingRestart => self.restart_nodes(pause).await?,
            Fault::ClientsDropped => self.balancer.accept()?,
            Fault::ClientsFrozen => self.balancer.thaw(),
            _ => self.brokers.restore(fault).await?,
        }
        Ok(())
    }

    /// Waits until all nodes are ready.
    pub(crate) async fn ready(&mut self) -> Result<(), Error> {
        for node in &mut self.nodes {
            node.ready().await?;
        }
        Ok(())
    }

    async fn restart_all(&mut self) -> Result<(), Error> {
        futures_util::future::try_join_all(self.nodes.iter_mut().map(HubNode::drain)).await?;
        self.nodes.iter_mut().try_for_each(HubNode::resume)
    }

    async fn restart_nodes(&mut self, pause: Duration) -> Result<(), Error> {
        for node in &mut self.nodes {
            node.drain().await?;
            sleep(pause).await;
            node.resume()?;
            node.ready().await?;
        }
        Ok(())
    }
}
