//! The browser's client, many of them in a Node process.

use std::{process::Stdio, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use sse_core::Cursor;
use sse_testkit::chaos::{Gap, GapReason, Journal, Loss, Subscriber, Told};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinHandle,
    time::Instant,
};

use crate::{audience, error::Error, shared::Shared};

/// The program of the process.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/js/browsers.mjs");

/// A process of clients; ended when this is dropped.
pub(crate) struct Browsers {
    process: Child,
    /// The process ends with its input, also if we are killed.
    _input: ChildStdin,
    heard: Arc<Shared<Vec<Heard>>>,
    reading: JoinHandle<Result<(), Error>>,
}

/// What one client heard.
struct Heard {
    journal: Journal,
    last: Option<Cursor>,
    is_connected: bool,
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
    /// Starts one client for each subscriber.
    pub(crate) async fn start(url: &str, subscribers: &[Subscriber]) -> Result<Self, Error> {
        let program =
            sse_testkit::executable("node")?.ok_or_else(|| Error::new("there is no node in PATH"))?;
        let mut process = tokio::process::Command::from(std::process::Command::new(program))
            .arg(PROGRAM)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(mut input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Error::new("a process without pipes"));
        };
        let client = |subscriber: &Subscriber| json!({ "user": subscriber.user, "topics": audience::topics(subscriber) });
        let clients: Vec<_> = subscribers.iter().map(client).collect();
        input.write_all(format!("{}\n", json!({ "url": url, "clients": clients })).as_bytes()).await?;
        let origin = Instant::now();
        let nothing = || Heard { journal: Journal::new(origin), last: None, is_connected: false };
        let heard = Arc::new(Shared::default());
        heard.with(|heard: &mut Vec<_>| heard.extend(subscribers.iter().map(|_| nothing())));
        let reading = tokio::spawn(read(output, Arc::clone(&heard)));
        Ok(Self { process, _input: input, heard, reading })
    }

    /// The positions up to which the clients have been served.
    pub(crate) fn positions(&self) -> Vec<Option<Cursor>> {
        self.heard.with(|heard| heard.iter().map(|heard| heard.last.clone()).collect())
    }

    /// What is wrong, if it ended by itself.
    pub(crate) fn problem(&mut self) -> Result<Option<Error>, Error> {
        let status = self.process.try_wait()?;
        Ok(status.map(|status| Error::new(format!("the browsers' clients ended by themselves: {status}"))))
    }

    /// Ends the clients; gives what each heard.
    pub(crate) async fn stop(mut self) -> Result<Vec<Journal>, Error> {
        self.process.kill().await?;
        (&mut self.reading).await.map_err(|error| Error::new(format!("reading panicked: {error}")))??;
        Ok(self.heard.with(|heard| heard.drain(..).map(|heard| heard.journal).collect()))
    }
}

impl Drop for Browsers {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read(output: ChildStdout, heard: Arc<Shared<Vec<Heard>>>) -> Result<(), Error> {
    let mut lines = BufReader::new(output).lines();
    while let Some(text) = lines.next_line().await? {
        // The last line may have been cut off by the end.
        let Ok(line) = serde_json::from_str::<Line>(&text) else { continue };
        heard.with(|heard| heard.get_mut(line.client).map(|heard| heard.hear(&line)));
    }
    Ok(())
}

impl Heard {
    fn hear(&mut self, line: &Line) {
        if let Some(told) = self.told(line) {
            self.journal.push(Instant::now(), told);
        }
    }

    fn told(&mut self, line: &Line) -> Option<Told> {
        if let Some(state) = &line.state {
            let was_connected = std::mem::replace(&mut self.is_connected, state == "open");
            return (was_connected && !self.is_connected).then_some(Told::Lost(Loss::Broken));
        }
        let id: Option<Cursor> = line.id.parse().ok();
        if id.is_some() {
            self.last.clone_from(&id);
        }
        let data = &line.data;
        match (line.event_type.as_str(), data["event"].as_str()) {
            ("number", _) => Some(Told::Event { number: data["number"].as_u64(), id }),
            ("connection", _) => Some(Told::Connected { id, resumed: data["resumed"] == true }),
            ("system", Some("gap")) => Some(Told::Gap(gap(&data["data"]))),
            ("system", Some("degraded")) => Some(Told::Degraded),
            ("system", Some("restored")) => Some(Told::Restored),
            _ => id.map(|id| Told::Moved { id }),
        }
    }
}

fn gap(data: &Value) -> Gap {
    let position = |name: &str| data[name].as_str().and_then(|id| id.parse().ok());
    let reason = match data["reason"].as_str().unwrap_or_default() {
        "overflow" => GapReason::Overflow,
        "trimmed" => GapReason::Trimmed,
        "epoch" => GapReason::Epoch,
        "invalid" => GapReason::Invalid,
        "future" => GapReason::Future,
        _ => GapReason::Other,
    };
    Gap { reason, dropped: data["dropped"].as_u64(), from: position("from"), to: position("to") }
}
