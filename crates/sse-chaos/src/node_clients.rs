//! The browser's client, many of them in a Node process; or native `EventSource`s in Chromium.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use sse_core::backplane::Cursor;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{
    error::Error,
    journal::Journal,
    observation::{Gap, GapReason, Loss, Observation},
    oracle::subscriber::Subscriber,
    population,
    shared::SharedMutex,
};

/// Timeout for the process to end after its input ended.
const END: Duration = Duration::from_secs(10);

/// The client that a browser runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BrowserClient {
    /// The client of `sse-browser`, under Node.
    #[default]
    SseBrowser,
    /// The same, with several tabs for each client. The tabs share a stream and store positions.
    Tabs,
    /// The browser's own `EventSource`, in Chromium. It never reconnects after an HTTP error.
    EventSource,
}

impl BrowserClient {
    /// Returns the program of the process.
    fn program(self) -> &'static str {
        match self {
            Self::SseBrowser => concat!(env!("CARGO_MANIFEST_DIR"), "/js/browsers.mjs"),
            Self::Tabs => concat!(env!("CARGO_MANIFEST_DIR"), "/js/tabs.mjs"),
            Self::EventSource => concat!(env!("CARGO_MANIFEST_DIR"), "/js/event-sources.mjs"),
        }
    }

    /// Returns the maximum number of clients of one process. Chromium limits the streams of a host,
    /// and a tab for each host costs memory.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::SseBrowser | Self::Tabs => usize::MAX,
            Self::EventSource => 60,
        }
    }
}

/// A process of clients; ended when this is dropped.
pub(crate) struct Browsers {
    process: Child,
    /// Input of the process, which ends with it, even if this program is killed.
    input: ChildStdin,
    received: Arc<SharedMutex<Vec<Received>>>,
    reading: JoinHandle<Result<(), Error>>,
}

/// The record of one client.
struct Received {
    journal: Journal,
    last: Option<Cursor>,
    is_connected: bool,
    is_closed: bool,
}

/// A line that the process prints.
#[derive(Debug, Deserialize)]
struct Line {
    client: usize,
    #[serde(default)]
    state: Option<String>,
    #[serde(default, rename = "type")]
    event_type: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    data: Value,
}

impl Browsers {
    /// Starts one client for each subscriber. A browser writes its profile to `folder`.
    pub(crate) async fn start(
        client: BrowserClient,
        url: &str,
        subscribers: &[Subscriber],
        folder: &Path,
    ) -> Result<Self, Error> {
        let installed = |name: &str| {
            sse_testkit::executable(name)?
                .ok_or_else(|| Error::new(format!("{name} is not in PATH")))
        };
        let mut settings = json!({ "url": url });
        if client == BrowserClient::EventSource {
            settings["chromium"] = json!(installed("chromium")?);
            settings["profile"] = json!(folder.join("chromium"));
        }
        let mut process =
            tokio::process::Command::from(std::process::Command::new(installed("node")?))
                .arg(client.program())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
        let (Some(mut input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Error::new("the process has no pipes"));
        };
        let client = |subscriber: &Subscriber| json!({ "user": subscriber.user, "topics": population::topics(subscriber) });
        settings["clients"] = subscribers.iter().map(client).collect();
        input.write_all(format!("{settings}\n").as_bytes()).await?;
        let origin = Instant::now();
        let nothing = || Received {
            journal: Journal::new(origin),
            last: None,
            is_connected: false,
            is_closed: false,
        };
        let received = Arc::new(SharedMutex::default());
        received
            .with(|received: &mut Vec<_>| received.extend(subscribers.iter().map(|_| nothing())));
        let reading = tokio::spawn(read(output, Arc::clone(&received)));
        Ok(Self {
            process,
            input,
            received,
            reading,
        })
    }

    /// Returns the positions up to which the clients have been served.
    pub(crate) fn positions(&self) -> Vec<Option<Cursor>> {
        self.received.with(|received| {
            received
                .iter()
                .map(|received| received.last.clone())
                .collect()
        })
    }

    /// Returns the problem if the process ended unasked or a client gave up.
    pub(crate) fn problem(&mut self) -> Result<Option<Error>, Error> {
        let closed = self.received.with(|received| {
            received
                .iter()
                .filter(|received| received.is_closed)
                .count()
        });
        if closed > 0 {
            return Ok(Some(Error::new(format!(
                "{closed} native EventSources were closed permanently"
            ))));
        }
        let status = self.process.try_wait()?;
        Ok(status
            .map(|status| Error::new(format!("the browser clients exited unexpectedly: {status}"))))
    }

    /// Stops the clients and returns the journal of each.
    pub(crate) async fn stop(mut self) -> Result<Vec<Journal>, Error> {
        self.input.shutdown().await?;
        drop(self.input);
        if timeout(END, self.process.wait()).await.is_err() {
            self.process.kill().await?;
        }
        let reading = self.reading.await;
        reading.map_err(|error| {
            Error::new(format!(
                "the reader of the browser clients panicked: {error}"
            ))
        })??;
        Ok(self.received.with(|received| {
            received
                .drain(..)
                .map(|received| received.journal)
                .collect()
        }))
    }
}

async fn read(output: ChildStdout, received: Arc<SharedMutex<Vec<Received>>>) -> Result<(), Error> {
    let mut lines = BufReader::new(output).lines();
    while let Some(text) = lines.next_line().await? {
        // The last line may have been cut off by the end.
        let Ok(line) = serde_json::from_str::<Line>(&text) else {
            continue;
        };
        received.with(|received| {
            received
                .get_mut(line.client)
                .map(|received| received.record(&line))
        });
    }
    Ok(())
}

impl Received {
    fn record(&mut self, line: &Line) {
        if let Some(observation) = self.observation(line) {
            self.journal.push(Instant::now(), observation);
        }
    }

    fn observation(&mut self, line: &Line) -> Option<Observation> {
        if let Some(state) = &line.state {
            let was_connected = std::mem::replace(&mut self.is_connected, state == "open");
            self.is_closed |= state == "closed";
            return (was_connected && !self.is_connected)
                .then_some(Observation::Lost(Loss::Broken));
        }
        let id: Option<Cursor> = line.id.parse().ok();
        if id.is_some() {
            self.last.clone_from(&id);
        }
        let data = &line.data;
        match (line.event_type.as_str(), data["event"].as_str()) {
            ("number", _) => Some(Observation::Event {
                number: data["number"].as_u64(),
                id,
            }),
            ("connection", _) => Some(Observation::Connected {
                id,
                resumed: data["resumed"] == true,
            }),
            ("system", Some("gap")) => Some(Observation::Gap(gap(&data["data"]))),
            ("system", Some("degraded")) => Some(Observation::Degraded),
            ("system", Some("restored")) => Some(Observation::Restored),
            _ => id.map(|id| Observation::Moved { id }),
        }
    }
}

fn gap(data: &Value) -> Gap {
    let position = |name: &str| data[name].as_str().and_then(|id| id.parse().ok());
    Gap {
        reason: GapReason::named(data["reason"].as_str().unwrap_or_default()),
        dropped: data["dropped"].as_u64(),
        from: position("from"),
        to: position("to"),
    }
}
