//! Connects to a server that has everything this node saw.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{Value, aio::MultiplexedConnection};
use sse_core::backplane::BackplaneError;
use tokio::time::timeout;

use crate::{
    connection::{RedisConnection, UnverifiedConnection, connector::Purpose},
    error, reply,
    scripts::Scripts,
    shared::Shared,
};

/// Minimum major version that stores everything that this crate stores with a stream.
const OLDEST: u32 = 7;

/// Maximum number of redirections by servers of a cluster.
const REDIRECTIONS: usize = 3;

impl Shared {
    /// Creates a connection to a server that has everything this node saw. If the server lacks an
    /// entry, the log gets a new epoch.
    ///
    /// Fails at once during the delay after a failed attempt.
    pub(crate) async fn connect(
        self: &Arc<Self>,
        purpose: Purpose,
    ) -> Result<RedisConnection, BackplaneError> {
        self.connect_for(self.config.response_timeout, purpose)
            .await
    }

    /// Creates a connection with a different response timeout.
    pub(crate) async fn connect_for(
        self: &Arc<Self>,
        response_timeout: Duration,
        purpose: Purpose,
    ) -> Result<RedisConnection, BackplaneError> {
        self.backoff.pass()?;
        let establish = self.establish(response_timeout, purpose);
        let result = match timeout(self.config.connect_timeout, establish).await {
            Ok(result) => result,
            Err(elapsed) => Err(BackplaneError::unavailable(error::SOON, elapsed)),
        };
        match result {
            Ok(connection) => {
                self.backoff.open();
                Ok(connection)
            }
            Err(error) => {
                let pause = self.backoff.close(&error);
                tracing::debug!(?error, ?pause, "failed to connect to Redis");
                Err(match error {
                    BackplaneError::Unavailable { source, .. } => BackplaneError::Unavailable {
                        retry_after: pause,
                        source,
                    },
                    error => error,
                })
            }
        }
    }

    async fn establish(
        self: &Arc<Self>,
        response_timeout: Duration,
        purpose: Purpose,
    ) -> Result<RedisConnection, BackplaneError> {
        let mut address = self.server.address(response_timeout).await?;
        for _ in 0..=REDIRECTIONS {
            let connected = self
                .server
                .connect(&address, &purpose, response_timeout)
                .await;
            let mut connected = connected.map_err(error::translate)?;
            let at_home: Result<Value, _> = redis::cmd("EXISTS")
                .arg(&*self.keys.log)
                .query_async(&mut connected.connection)
                .await;
            if let Err(error) = at_home {
                // The server belongs to a cluster, and another server has the keys of this log.
                let elsewhere = error
                    .redirect_node()
                    .and_then(|(node, _)| address.moved_to(node));
                address = elsewhere.ok_or_else(|| error::translate(error))?;
                continue;
            }
            let (scripts, server) = greet(&mut connected.connection).await?;
            let id = self.connections.fetch_add(1, Ordering::Relaxed);
            let connection = UnverifiedConnection {
                id,
                connected,
                scripts,
                server,
            };
            return connection.verify(self).await;
        }
        Err(BackplaneError::unavailable(
            error::SOON,
            "the servers of the cluster redirect in a loop",
        ))
    }
}

/// Loads the scripts and returns the identity of the server: its run and its history of the data.
async fn greet(
    connection: &mut MultiplexedConnection,
) -> Result<(Scripts, Arc<str>), BackplaneError> {
    let mut pipe = redis::pipe();
    let mut count = 1;
    for command in Scripts::load() {
        pipe.add_command(command);
        count += 1;
    }
    pipe.cmd("INFO").arg("server").arg("replication");
    let answers = connection.send_packed_commands(&pipe, 0, count).await;
    let answers: Result<Vec<_>, _> =
        answers.and_then(|answers| answers.into_iter().map(reply::checked).collect());
    let mut answers = answers.map_err(error::translate)?;
    let info = answers.pop().unwrap_or_default();
    let names = answers
        .iter()
        .filter_map(|name| reply::text(name).map(str::to_owned))
        .collect();
    Ok((
        Scripts::new(names),
        identity(reply::text(&info).unwrap_or_default())?,
    ))
}

/// Returns the identity of a server from `INFO`. Fails if the server cannot be used.
fn identity(info: &str) -> Result<Arc<str>, BackplaneError> {
    let field = |name: &str| {
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value.trim())
            .next()
            .unwrap_or_default()
    };
    let version = field("redis_version");
    if version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .is_none_or(|major: u32| major < OLDEST)
    {
        return Err(BackplaneError::rejected(format!(
            "the server has version {version}; Redis {OLDEST} or Valkey is required"
        )));
    }
    if field("role") != "master" {
        return Err(BackplaneError::unavailable(error::SOON, error::REPLICA));
    }
    Ok(format!("{} {}", field("run_id"), field("master_replid")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\nrun_id:ab\r\n\r\n# Replication\r\n\
        role:master\r\nmaster_replid:cd\r\nmaster_replid2:00\r\n";

    #[test]
    fn identity_has_run_and_replication_id() {
        assert_eq!(&*identity(INFO).unwrap(), "ab cd");
    }

    #[test]
    fn replicas_and_old_servers_are_rejected() {
        let replica = identity(&INFO.replace("role:master", "role:slave"));
        assert!(matches!(replica, Err(BackplaneError::Unavailable { .. })));
        for info in ["", &INFO.replace("7.2.4", "6.2.1")] {
            assert!(
                matches!(identity(info), Err(BackplaneError::Rejected { .. })),
                "{info}"
            );
        }
    }
}
