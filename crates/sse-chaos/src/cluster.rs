//! A cluster of NATS servers, each of which has the whole log.

use std::path::Path;

use crate::{
    broker::{BrokerKind, BrokerProcess},
    error::Error,
    plan::SERVERS,
    ports,
};

/// Servers of NATS that form a cluster.
pub(crate) struct NatsCluster {
    servers: Vec<BrokerProcess>,
}

impl NatsCluster {
    /// Starts all servers, and waits until they have a leader.
    pub(crate) async fn start(folder: &Path) -> Result<Self, Error> {
        let mut routes = Vec::new();
        for _ in 0..SERVERS {
            routes.push(format!("nats://{}", ports::free()?));
        }
        let mut servers = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let all = routes.join(",");
            let name = format!("server-{index}");
            let more = [
                "--cluster_name",
                "chaos",
                "--cluster",
                route,
                "--routes",
                &all,
                "-n",
                &name,
            ];
            let more = more.map(str::to_owned).to_vec();
            // A server answers once most servers run.
            servers.push(BrokerProcess::spawn_with(
                BrokerKind::Nats,
                &folder.join(&name),
                more,
            )?);
        }
        for server in &mut servers {
            server.answer().await?;
        }
        Ok(Self { servers })
    }

    /// Returns the arguments with which a node reaches the cluster.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let urls: Vec<_> = self
            .servers
            .iter()
            .map(|server| format!("nats://{}", server.address()))
            .collect();
        [
            "--backplane",
            &urls.join(","),
            "--backplane-replicas",
            &SERVERS.to_string(),
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// Kills a server as `kill -9` does.
    pub(crate) fn kill(&mut self, server: usize) -> Result<(), Error> {
        self.servers[server].kill()
    }

    /// Restarts the servers that were killed.
    pub(crate) async fn resume(&mut self) -> Result<(), Error> {
        for server in &mut self.servers {
            if !server.is_running() {
                server.resume().await?;
            }
        }
        Ok(())
    }
}
