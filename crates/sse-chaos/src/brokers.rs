//! The brokers that the nodes share: one broker with a separate link for each node, or several
//! servers of which one can replace another.

use std::{path::Path, time::Duration};

use sse_testkit::Proxy;
use tokio::time::sleep;

use crate::{
    broker::{BrokerKind, BrokerProcess},
    cluster::NatsCluster,
    error::Error,
    fault::Fault,
    plan::{Layout, NODES},
    sentinels::SentinelProcesses,
    wait::{LONG, until_answered},
};

/// The brokers that the nodes share.
pub(crate) enum Brokers {
    One(Box<One>),
    Sentinels(SentinelProcesses),
    Cluster(NatsCluster),
}

/// One broker, and the links to it that can be broken.
pub(crate) struct One {
    broker: BrokerProcess,
    replica: Option<BrokerProcess>,
    /// Links from the nodes to the broker, one for each node.
    links: Vec<Proxy>,
}

impl Brokers {
    pub(crate) async fn start(
        kind: BrokerKind,
        layout: Layout,
        folder: &Path,
    ) -> Result<Self, Error> {
        match layout {
            Layout::One | Layout::Replica => One::start(kind, layout, folder)
                .await
                .map(Box::new)
                .map(Self::One),
            Layout::Sentinels(wire) => SentinelProcesses::start(wire, folder)
                .await
                .map(Self::Sentinels),
            Layout::Cluster => NatsCluster::start(folder).await.map(Self::Cluster),
        }
    }

    /// Returns the arguments with which a node reaches the brokers.
    pub(crate) fn arguments(&self, node: usize) -> Vec<String> {
        match self {
            Self::One(one) => {
                let url = format!(
                    "{}://{}",
                    one.broker.kind().as_str(),
                    one.links[node].address()
                );
                vec!["--backplane".to_owned(), url]
            }
            Self::Sentinels(sentinels) => sentinels.arguments(),
            Self::Cluster(cluster) => cluster.arguments(),
        }
    }

    /// Waits until replicas have all entries.
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        match self {
            Self::One(one) => one.ready().await,
            Self::Sentinels(sentinels) => sentinels.ready().await,
            Self::Cluster(_) => Ok(()),
        }
    }

    /// Injects a fault.
    pub(crate) async fn break_with(&mut self, fault: Fault) -> Result<(), Error> {
        match self {
            Self::One(one) => one.break_with(fault).await,
            Self::Sentinels(sentinels) if fault == Fault::PrimaryKilled => {
                sentinels.kill_primary().await
            }
            Self::Cluster(cluster) => match fault {
                Fault::ServerKilled(server) => cluster.kill(server),
                _ => Err(unplayable(fault)),
            },
            Self::Sentinels(_) => Err(unplayable(fault)),
        }
    }

    /// Repairs a fault.
    pub(crate) async fn restore(&mut self, fault: Fault) -> Result<(), Error> {
        match self {
            Self::One(one) => one.restore(fault).await,
            Self::Sentinels(sentinels) => sentinels.resume().await,
            Self::Cluster(cluster) => cluster.resume().await,
        }
    }
}

fn unplayable(fault: Fault) -> Error {
    Error::new(format!("fault not possible with these brokers: {fault}"))
}

impl One {
    async fn start(kind: BrokerKind, layout: Layout, folder: &Path) -> Result<Self, Error> {
        let broker = BrokerProcess::start(kind, &folder.join("broker")).await?;
        let replica = match layout {
            Layout::Replica => {
                Some(BrokerProcess::start_replica(&broker, &folder.join("replica")).await?)
            }
            _ => None,
        };
        let mut links = Vec::new();
        for _ in 0..NODES {
            links.push(Proxy::to(broker.address()).await?);
        }
        Ok(Self {
            broker,
            replica,
            links,
        })
    }

    async fn ready(&self) -> Result<(), Error> {
        if let Some(replica) = &self.replica {
            until_answered("the replica", LONG, async || {
                replica.is_replica_in_sync().await
            })
            .await?;
        }
        Ok(())
    }

    async fn break_with(&mut self, fault: Fault) -> Result<(), Error> {
        match fault {
            Fault::BrokerKilled => self.broker.kill()?,
            Fault::BrokerLost => {
                self.broker.kill()?;
                self.broker.forget()?;
            }
            Fault::BrokerPaused => self.broker.pause()?,
            Fault::BrokerEmptied => self.broker.empty().await?,
            Fault::FailOver => self.replica()?.part().await?,
            Fault::ClockSetBack => self.broker.set_clock_back().await?,
            Fault::LinkFrozen(node) => self.links[node].freeze(),
            Fault::LinkBlackHoled(node) => self.links[node].black_hole(),
            Fault::LinkCut(node) => {
                self.links[node].refuse();
                self.links[node].cut();
            }
            _ => return Err(unplayable(fault)),
        }
        Ok(())
    }

    async fn restore(&mut self, fault: Fault) -> Result<(), Error> {
        match fault {
            Fault::BrokerKilled | Fault::BrokerLost => self.broker.resume().await?,
            Fault::BrokerPaused => self.broker.go_on()?,
            Fault::FailOver => {
                let replica = self.replica()?.address();
                self.broker.kill()?;
                self.links
                    .iter()
                    .for_each(|link| link.set_upstreams([replica]));
            }
            Fault::LinkFrozen(node) => self.links[node].thaw(),
            Fault::LinkCut(node) => self.links[node].accept()?,
            // A NATS that also lost the files of its stream reports so once it has closed them.
            Fault::BrokerEmptied if self.broker.kind() == BrokerKind::Nats => {
                sleep(Duration::from_secs(1)).await;
            }
            _ => {}
        }
        Ok(())
    }

    fn replica(&self) -> Result<&BrokerProcess, Error> {
        self.replica
            .as_ref()
            .ok_or_else(|| Error::new("failover requires a replica"))
    }
}
