//! The test suite of every backplane.

use std::sync::Arc;

use sse_core::{
    Retention,
    backplane::{Backplane, Position},
};
use sse_testkit::backplane::{Broker, Restart, Trim, Wipe};

use crate::redis_server::{RedisServer, patient};

struct Redis {
    server: RedisServer,
    retention: Retention,
}

impl Broker for Redis {
    async fn start(retention: Retention) -> Option<Self> {
        // Redis trims node by node, so small logs need small nodes.
        let server = RedisServer::start(&["--stream-node-max-entries", "20"]).await?;
        Some(Self { server, retention })
    }

    async fn node(&self) -> Arc<dyn Backplane> {
        Arc::new(
            self.server
                .node_with(patient().retention(self.retention))
                .await,
        )
    }
}

impl Trim for Redis {
    async fn trim(&mut self, up_to: Position) {
        let first = format!("{}-{}", up_to.major(), up_to.minor() + 1);
        self.server
            .ask(&format!("XTRIM {{sse}}:log MINID = {first}"))
            .await;
    }
}

impl Wipe for Redis {
    async fn wipe(&mut self) {
        self.server.ask("FLUSHALL").await;
    }
}

impl Restart for Redis {
    async fn stop(&mut self) {
        self.server.kill();
    }

    async fn resume(&mut self) {
        self.server.resume().await;
    }
}

sse_testkit::backplane_suite!(
    Redis,
    [
        retention_by_bytes,
        retention_by_age,
        trim,
        wipe,
        wipe_in_use,
        restart,
        reconnect
    ]
);
