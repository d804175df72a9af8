//! Answers to a batch, as they come.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Sleep, sleep};

use crate::{
    bodies::Share,
    outcome::Outcome,
    wire::{envelope, request_parser::Form, transformer::Transformer},
};

/// Answers to the calls of a batch, as they come: a [`Stream`] of whole lines, which never fails.
/// Between lines that are long in coming a space is sent every 15 seconds, so it is to be polled in
/// a runtime of tokio's that has time.
///
/// *Cancel safety.* Dropped, calls that are under way are dropped with it.
pub struct BatchStream {
    running: FuturesUnordered<Numbered>,
    /// Held until the calls are done, since they own their inputs.
    _share: Share,
    form: Form,
    transformer: Transformer,
    /// Calls of the head that is still to be sent.
    head: Option<usize>,
    ended: bool,
    /// When the client is to be told that there will be more.
    ping: Option<Pin<Box<Sleep>>>,
}

/// Proxies give up on an answer of which nothing comes; most wait for a minute.
const PING_INTERVAL: Duration = Duration::from_secs(15);

type Numbered = Pin<Box<dyn Future<Output = (usize, Outcome)> + Send>>;

impl BatchStream {
    pub(crate) fn new(
        calls: impl ExactSizeIterator<Item = impl Future<Output = Outcome> + Send + 'static>,
        form: Form,
        transformer: Transformer,
        share: Share,
    ) -> Self {
        let head = Some(calls.len());
        let running = calls
            .enumerate()
            .map(|(index, call)| -> Numbered { Box::pin(async move { (index, call.await) }) });
        Self {
            running: running.collect(),
            _share: share,
            form,
            transformer,
            head,
            ended: false,
            ping: None,
        }
    }

    pub(crate) fn vary(&self) -> &'static str {
        if self.form == Form::Pieces {
            "trpc-batch-mode"
        } else {
            "trpc-accept, accept"
        }
    }

    /// Takes what is ready.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Vec<(usize, Outcome)>> {
        let mut ready = Vec::new();
        loop {
            match Pin::new(&mut self.running).poll_next(cx) {
                Poll::Ready(Some(outcome)) => ready.push(outcome),
                Poll::Pending if ready.is_empty() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => return Poll::Ready(ready),
            }
        }
    }

    /// A space before the next line, where nothing came for a while (tRPC 11, `pingMs` in
    /// `stream/jsonl.ts`). Clients of version 10 know no such thing.
    fn poll_ping(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.form != Form::Lines {
            return Poll::Pending;
        }
        let ping = self
            .ping
            .get_or_insert_with(|| Box::pin(sleep(PING_INTERVAL)));
        ready!(ping.as_mut().poll(cx));
        // The next one is set by the poll that follows.
        self.ping = None;
        Poll::Ready(Some(Bytes::from_static(b" ")))
    }

    /// A value that is there, as the encoding of promises has it: no definitions behind it.
    fn value(&self, outcome: &Outcome) -> String {
        // The transformer is put around the whole line.
        let inner = if self.form == Form::Lines {
            Transformer::Json
        } else {
            self.transformer
        };
        envelope::of(outcome, inner)
    }

    /// The head names all calls: those that are done with what became of them, the others with a
    /// promise.
    fn head(&self, count: usize, done: &[(usize, Outcome)]) -> String {
        let mut members: Vec<_> = (0..count)
            .map(|index| format!(r#""{index}":[[0],[null,0,{index}]]"#))
            .collect();
        for (index, outcome) in done {
            members[*index] = format!(r#""{index}":[[{}]]"#, self.value(outcome));
        }
        self.line(&format!("{{{}}}", members.join(",")))
    }

    fn line(&self, json: &str) -> String {
        let mut line = self.transformer.wrap(json);
        line.push('\n');
        line
    }

    fn pieces(&self, mut is_first: bool, done: &[(usize, Outcome)]) -> String {
        let mut text = String::new();
        for (index, outcome) in done {
            let before = if std::mem::take(&mut is_first) {
                '{'
            } else {
                ','
            };
            text.push_str(&format!("{before}\"{index}\":{}\n", self.value(outcome)));
        }
        if self.running.is_empty() {
            text.push('}');
        }
        text
    }
}

impl Stream for BatchStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let done = match self.poll_ready(cx) {
            // The head need not wait: clients take it for the beginning of the answer.
            Poll::Pending if self.form == Form::Lines && self.head.is_some() => Vec::new(),
            Poll::Pending => return self.poll_ping(cx),
            Poll::Ready(done) => done,
        };
        self.ping = None;
        let head = self.head.take();
        let text = match (self.form, head) {
            (Form::Pieces, head) => self.pieces(head.is_some(), &done),
            (_, Some(count)) => self.head(count, &done),
            (_, None) => done
                .iter()
                .map(|(index, outcome)| {
                    self.line(&format!("[{index},0,[[{}]]]", self.value(outcome)))
                })
                .collect(),
        };
        self.ended = self.running.is_empty();
        Poll::Ready(Some(text.into()))
    }
}

impl fmt::Debug for BatchStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}
