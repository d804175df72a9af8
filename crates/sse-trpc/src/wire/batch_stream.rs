//! Streamed responses to a batch.

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
    bodies::BodyShare,
    outcome::Outcome,
    wire::{envelope, request_parser::ResponseForm, transformer::Transformer},
};

/// The results of the calls of a batch, in the order in which they complete: a [`Stream`] of whole
/// lines, which never fails. If no line follows for 15 seconds, the stream sends a space, except in
/// the form of tRPC 10. The stream must be polled in a Tokio runtime with timers.
///
/// *Cancel safety.* Dropping the stream drops the calls in flight.
pub struct BatchStream {
    running: FuturesUnordered<NumberedCall>,
    /// Held until the calls are done, because they own their inputs.
    _share: BodyShare,
    form: ResponseForm,
    transformer: Transformer,
    /// Number of calls in the head, until the head has been sent.
    head: Option<usize>,
    ended: bool,
    /// Timer of the next space, which shows the client that the response is not complete.
    ping: Option<Pin<Box<Sleep>>>,
}

/// Interval between spaces. Proxies abort a response without new bytes; most wait for a minute.
const PING_INTERVAL: Duration = Duration::from_secs(15);

type NumberedCall = Pin<Box<dyn Future<Output = (usize, Outcome)> + Send>>;

impl BatchStream {
    pub(crate) fn new(
        calls: impl ExactSizeIterator<Item = impl Future<Output = Outcome> + Send + 'static>,
        form: ResponseForm,
        transformer: Transformer,
        share: BodyShare,
    ) -> Self {
        let head = Some(calls.len());
        let running = calls
            .enumerate()
            .map(|(index, call)| -> NumberedCall { Box::pin(async move { (index, call.await) }) });
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
        if self.form == ResponseForm::Pieces {
            "trpc-batch-mode"
        } else {
            "trpc-accept, accept"
        }
    }

    /// Takes all results that are ready.
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

    /// Returns a space before the next line, after an interval without bytes (tRPC 11, `pingMs` in
    /// `stream/jsonl.ts`). Clients of version 10 do not support spaces.
    fn poll_ping(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.form != ResponseForm::Lines {
            return Poll::Pending;
        }
        let ping = self
            .ping
            .get_or_insert_with(|| Box::pin(sleep(PING_INTERVAL)));
        ready!(ping.as_mut().poll(cx));
        // The next poll starts the next timer.
        self.ping = None;
        Poll::Ready(Some(Bytes::from_static(b" ")))
    }

    /// Returns a complete value in the encoding of promises: no definitions follow.
    fn value(&self, outcome: &Outcome) -> String {
        // The transformer applies to the whole line.
        let inner = if self.form == ResponseForm::Lines {
            Transformer::Json
        } else {
            self.transformer
        };
        envelope::of(outcome, inner)
    }

    /// Returns the head, which lists all calls: completed calls with their results, the others with
    /// a promise.
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
            // The head is sent at once: clients take it for the beginning of the response.
            Poll::Pending if self.form == ResponseForm::Lines && self.head.is_some() => Vec::new(),
            Poll::Pending => return self.poll_ping(cx),
            Poll::Ready(done) => done,
        };
        self.ping = None;
        let head = self.head.take();
        let text = match (self.form, head) {
            (ResponseForm::Pieces, head) => self.pieces(head.is_some(), &done),
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
        f.debug_struct("BatchStream")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}
