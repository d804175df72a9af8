//! The test suite of every backplane.

use std::sync::Arc;

use serde_json::json;
use sse_core::{
    Retention,
    backplane::{Backplane, Position},
};
use sse_testkit::backplane::{Broker, Restart, Trim, Wipe};

use crate::server::{LOG, Server, config};

struct Nats<const WHICH: usize> {
    server: Server,
    retention: Retention,
}

impl<const WHICH: usize> Broker for Nats<WHICH> {
    async fn start(retention: Retention) -> Option<Self> {
        let server = Server::start_with(WHICH, |_| String::new()).await?;
        Some(Self { server, retention })
    }

    async fn node(&self) -> Arc<dyn Backplane> {
        Arc::new(
            self.server
                .node_with(config().retention(self.retention))
                .await,
        )
    }
}

impl<const WHICH: usize> Trim for Nats<WHICH> {
    async fn trim(&mut self, up_to: Position) {
        let first = up_to.minor() + 1;
        self.server
            .ask(&format!("STREAM.PURGE.{LOG}"), json!({ "seq": first }))
            .await;
    }
}

impl<const WHICH: usize> Wipe for Nats<WHICH> {
    async fn wipe(&mut self) {
        self.server
            .ask(&format!("STREAM.DELETE.{LOG}"), json!({}))
            .await;
    }
}

impl<const WHICH: usize> Restart for Nats<WHICH> {
    async fn stop(&mut self) {
        self.server.stop();
    }

    async fn resume(&mut self) {
        self.server.resume().await;
    }
}

mod first {
    type Broker = super::Nats<0>;

    sse_testkit::backplane_suite!(
        Broker,
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
}

mod second {
    type Broker = super::Nats<1>;

    sse_testkit::backplane_suite!(
        Broker,
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
}
