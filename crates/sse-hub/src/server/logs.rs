//! The log: its filter and its output.

use std::{
    io::{self, IsTerminal},
    panic,
    sync::OnceLock,
    thread,
    time::Duration,
};

use tracing::{
    Level, Metadata, Subscriber, error, level_filters::LevelFilter, span, subscriber::Interest,
};
use tracing_subscriber::{
    EnvFilter, Layer, fmt,
    layer::{Context, Filter, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::server::output::LogOutput;

/// Target of messages about credentials, origins and rights.
pub(crate) const AUTH: &str = "sse_hub::auth";

/// Timeout for the reader of the outputs when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

static OUTPUTS: OnceLock<Outputs> = OnceLock::new();

/// Both outputs of the process. Logs go to standard error. Standard output is only for the address.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub(crate) out: LogOutput,
    pub(crate) err: LogOutput,
}

impl Outputs {
    /// Returns the outputs. The first call starts them.
    pub(crate) fn get() -> io::Result<&'static Self> {
        if let Some(outputs) = OUTPUTS.get() {
            return Ok(outputs);
        }
        let outputs = Self {
            out: LogOutput::start("stdout", io::stdout())?,
            err: LogOutput::start("stderr", io::stderr())?,
        };
        Ok(OUTPUTS.get_or_init(|| outputs))
    }

    /// Writes queued text, for a bounded time.
    pub(crate) fn flush(&self) {
        self.out.flush(FLUSH_TIMEOUT);
        self.err.flush(FLUSH_TIMEOUT);
    }
}

/// Starts the log with a filter as in `RUST_LOG`.
pub(crate) fn start(filter: EnvFilter, err: &LogOutput) {
    let (colours, err) = (io::stderr().is_terminal(), err.clone());
    let lines = fmt::layer()
        .with_writer(move || err.clone())
        .with_ansi(colours)
        .log_internal_errors(false);
    tracing_subscriber::registry()
        .with(lines.with_filter(Own(filter)))
        .init();
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let thread = thread::current();
        error!(
            place,
            thread = thread.name(),
            "panicked: {}",
            literal(info.payload_as_str().unwrap_or_default())
        );
    }));
}

/// Returns the constant part of a panic's message. Text after a colon is a value, which can come
/// from a client.
fn literal(message: &str) -> &str {
    message.split(": ").next().unwrap_or_default()
}

/// The filter from the settings, applied to the crates of this project. Other libraries log at most
/// at `info`: at `debug` and `trace` they print what clients send, including secrets.
struct Own(EnvFilter);

fn is_shown(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("sse_") || *metadata.level() <= Level::INFO
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for Own {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        is_shown(metadata) && Filter::<S>::enabled(&self.0, metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_shown(metadata) {
            Filter::<S>::callsite_enabled(&self.0, metadata)
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.0)
    }

    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        self.0.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        Filter::<S>::on_record(&self.0, id, values, context);
    }

    fn on_enter(&self, id: &span::Id, context: Context<'_, S>) {
        Filter::<S>::on_enter(&self.0, id, context);
    }

    fn on_exit(&self, id: &span::Id, context: Context<'_, S>) {
        Filter::<S>::on_exit(&self.0, id, context);
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        Filter::<S>::on_close(&self.0, id, context);
    }
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn values_in_panic_messages_are_hidden() {
        for (message, shown) in [
            ("explicit panic", "explicit panic"),
            (
                "called `Result::unwrap()` on an `Err` value: \"hunter2\"",
                "called `Result::unwrap()` on an `Err` value",
            ),
            (
                "index out of bounds: the len is 3 but the index is 5",
                "index out of bounds",
            ),
            ("", ""),
        ] {
            assert_eq!(literal(message), shown);
        }
    }
}
