//! Everything that runs: a broker, nodes on it, and the ways between them.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use sse_testkit::Proxy;
use tokio::time::sleep;

use crate::{
    broker::{Broker, Kind},
    error::Error,
    fault::{Fault, Lasts},
    node::Node,
    patience::{LONG, until},
    publisher::Publisher,
    scenario::{NODES, Plan},
};

/// How long a node that was asked to drain may take.
const DRAIN: &str = "5";

/// A cluster whose parts can be broken one by one.
pub(crate) struct Stage {
    broker: Broker,
    replica: Option<Broker>,
    /// Each node's way to the broker.
    links: Vec<Proxy>,
    nodes: Vec<Node>,
    /// The clients' way to the nodes.
    balancer: Proxy,
}

/// What nodes are told, besides where the broker is.
fn settings(clients: usize, plan: &Plan) -> Vec<String> {
    // All may be with one node, and again while their former streams have not been given up.
    let most = (2 * clients + 100).to_string();
    let common = [
        ["--max-connections", &most],
        ["--heartbeat-interval", "3s"],
        ["--connection-timeout", "10s"],
        ["--retry", "500ms"],
        ["--drain", DRAIN],
        // The balancer does not ask whether nodes are ready.
        ["--drain-delay", "0"],
    ];
    common.iter().flatten().map(|&word| word.to_owned()).chain(plan.settings.iter().cloned()).collect()
}

impl Stage {
    /// Starts everything, and waits until all nodes are ready.
    pub(crate) async fn start(
        kind: Kind,
        plan: &Plan,
        hub: &Path,
        clients: usize,
        folder: &Path,
    ) -> Result<Self, Error> {
        let broker = Broker::start(kind, &folder.join("broker")).await?;
        let replica = match plan.has_replica {
            true => Some(Broker::start_replica(&broker, &folder.join("replica")).await?),
            false => None,
        };
        fs::create_dir_all(folder)?;
        let (mut links, mut nodes) = (Vec::new(), Vec::new());
        for index in 0..NODES {
            let link = Proxy::to(broker.address()).await?;
            let url = format!("{}://{}", kind.as_str(), link.address());
            let output = folder.join(format!("node-{index}"));
            nodes.push(Node::start(hub, &url, &settings(clients, plan), output)?);
            links.push(link);
        }
        let balancer = Proxy::balance(nodes.iter().map(Node::address)).await?;
        let mut stage = Self { broker, replica, links, nodes, balancer };
        stage.ready().await?;
        if let Some(replica) = &stage.replica {
            until("the replica", LONG, async || replica.is_replica_in_sync().await).await?;
        }
        Ok(stage)
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.balancer.address()
    }

    /// Where publishers connect.
    pub(crate) fn nodes(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// Why a node ended by itself.
    pub(crate) fn problem(&mut self) -> Result<Option<Error>, Error> {
        for node in &mut self.nodes {
            if let Some(problem) = node.problem()? {
                return Ok(Some(Error::new(problem)));
            }
        }
        Ok(None)
    }

    /// The last that each node said.
    pub(crate) fn tails(&self) -> Vec<String> {
        self.nodes.iter().map(Node::tail).collect()
    }

    /// Lets something go wrong.
    pub(crate) async fn break_with(&mut self, fault: Fault) -> Result<(), Error> {
        match fault {
            Fault::BrokerKilled => self.broker.kill()?,
            Fault::BrokerLost => {
                self.broker.kill()?;
                self.broker.forget()?;
            }
            Fault::BrokerPaused => self.broker.pause()?,
            Fault::BrokerEmptied => self.empty().await?,
            Fault::FailOver => self.replica()?.part().await?,
            Fault::LinkFrozen(node) => self.links[node].freeze(),
            Fault::LinkStranded(node) => self.links[node].strand(),
            Fault::LinkCut(node) => {
                self.links[node].refuse();
                self.links[node].cut();
            }
            Fault::NodePaused(node) => self.nodes[node].pause()?,
            Fault::NodeKilled(node) => self.nodes[node].kill()?,
            Fault::RollingRestart => {}
            Fault::ClientsDropped => {
                self.balancer.refuse();
                self.balancer.cut();
            }
            Fault::ClientsFrozen => self.balancer.freeze(),
            Fault::ClientsStranded => self.balancer.strand(),
        }
        Ok(())
    }

    /// Waits as long as something is to be wrong.
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

    /// Puts right what went wrong.
    pub(crate) async fn mend(&mut self, fault: Fault, pause: Duration) -> Result<(), Error> {
        match fault {
            Fault::BrokerKilled | Fault::BrokerLost => self.broker.resume().await?,
            Fault::BrokerPaused => self.broker.go_on()?,
            Fault::BrokerEmptied | Fault::LinkStranded(_) | Fault::ClientsStranded => {}
            Fault::FailOver => {
                let replica = self.replica()?.address();
                self.broker.kill()?;
                self.links.iter().for_each(|link| link.set_upstreams([replica]));
            }
            Fault::LinkFrozen(node) => self.links[node].thaw(),
            Fault::LinkCut(node) => self.links[node].accept()?,
            Fault::NodePaused(node) => self.nodes[node].go_on()?,
            Fault::NodeKilled(node) => self.nodes[node].resume()?,
            Fault::RollingRestart => self.restart_nodes(pause).await?,
            Fault::ClientsDropped => self.balancer.accept()?,
            Fault::ClientsFrozen => self.balancer.thaw(),
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

    /// Empties the broker. No node may reach NATS meanwhile: version 2.9 takes away the files of a stream that is made anew while its namesake is deleted,
    /// and has no room for any event then.
    async fn empty(&self) -> Result<(), Error> {
        if self.broker.kind() == Kind::Redis {
            return self.broker.empty().await;
        }
        for link in &self.links {
            link.refuse();
            link.cut();
        }
        self.broker.empty().await?;
        sleep(Duration::from_secs(1)).await;
        self.links.iter().try_for_each(Proxy::accept)?;
        Ok(())
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

    fn replica(&self) -> Result<&Broker, Error> {
        self.replica.as_ref().ok_or_else(|| Error::new("a failover without a replica"))
    }
}
