//! The harness in which one rule is checked.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use sse_core::{ManagerBuilder, ShutdownOptions, access::AllowAll};

use crate::adapter::{
    Adapter,
    running_app::{Departures, RunningApp},
    test_app::{Stop, TestApp},
};

/// Timeout of a rule, longer than any rule takes on a busy machine.
const MOST: Duration = Duration::from_secs(300);

/// Maximum number of open files: more than the rule with the most streams has open, on both ends.
const FILES: u64 = 8192;

/// Serves the app of one adapter, as often as a rule needs.
#[derive(Debug, Clone, Copy)]
pub struct Harness {
    serve: fn(TcpListener, TestApp, Stop) -> io::Result<()>,
}

/// Runs one rule for one adapter.
///
/// # Panics
/// If the adapter violates the rule.
pub fn check<A: Adapter, F: Future<Output = ()>>(rule: impl FnOnce(Harness) -> F) {
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime for the clients").block_on(async {
        let rule = rule(Harness { serve: A::serve });
        tokio::time::timeout(MOST, rule)
            .await
            .expect("the rule did not finish in time");
    });
}

/// Raises the soft limit, which is often 1024 in a shell.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < FILES) {
        let current = limit.maximum.map_or(FILES, |maximum| maximum.min(FILES));
        // If this fails, the rules that need the limit report it.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(current),
                ..limit
            },
        );
    }
}

impl Harness {
    pub(crate) fn start(self, builder: ManagerBuilder) -> RunningApp {
        self.start_with(builder, ShutdownOptions::within(Duration::from_secs(10)))
    }

    pub(crate) fn start_with(self, builder: ManagerBuilder, drain: ShutdownOptions) -> RunningApp {
        self.start_on(listen(None).expect("a port"), builder, drain)
    }

    /// Starts the app with small socket buffers, so that the server notices after few bytes that a
    /// client does not read.
    pub(crate) fn start_narrow(
        self,
        builder: ManagerBuilder,
        drain: ShutdownOptions,
    ) -> RunningApp {
        self.start_on(listen(Some(4096)).expect("a port"), builder, drain)
    }

    fn start_on(
        self,
        listener: TcpListener,
        builder: ManagerBuilder,
        drain: ShutdownOptions,
    ) -> RunningApp {
        let departures = Departures::default();
        let builder = builder.hooks(departures.clone()).access(AllowAll);
        let manager = builder.build().expect("settings of a rule");
        RunningApp::start(self.serve, listener, manager, departures, drain)
    }

    /// Like [`Harness::start`], with the rule's own [`Access`](sse_core::access::Access).
    pub(crate) fn start_guarded(
        self,
        builder: ManagerBuilder,
        access: impl sse_core::access::Access,
    ) -> RunningApp {
        let departures = Departures::default();
        let manager = builder
            .hooks(departures.clone())
            .access(access)
            .build()
            .expect("settings of a rule");
        let drain = ShutdownOptions::within(Duration::from_secs(10));
        RunningApp::start(
            self.serve,
            listen(None).expect("a port"),
            manager,
            departures,
            drain,
        )
    }
}

fn listen(send_buffer: Option<usize>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if let Some(bytes) = send_buffer {
        // Accepted sockets inherit the size.
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
