//! All metrics of a process.

use std::{fmt, sync::Arc};

use crate::{
    collector::Collector, family::is_name, format::Format, process::Process, source::Source,
};

/// All metrics of a process: the numbers of its sources, as text for Prometheus. Clones share the
/// sources.
///
/// `Metrics` stores no numbers, and does nothing between scrapes.
///
/// ```
/// use sse_core::Manager;
/// use sse_metrics::Metrics;
///
/// let (one, two) = (Manager::builder().build()?, Manager::builder().build()?);
/// let metrics = Metrics::new().labelled("hub", "one", one).labelled("hub", "two", two);
/// assert!(metrics.scrape(None).body.contains("\nsse_streams{hub=\"two\"} 0\n"));
/// # Ok::<(), sse_core::BuildError>(())
/// ```
#[derive(Clone, Default)]
pub struct Metrics {
    sources: Vec<Labelled>,
}

#[derive(Clone)]
struct Labelled {
    label: Option<(&'static str, String)>,
    source: Arc<dyn Source>,
}

/// The response to a scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scrape {
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The text.
    pub body: String,
}

impl Metrics {
    /// Creates metrics without sources.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates metrics of a source, such as a [`Manager`](sse_core::Manager), and of the
    /// [`Process`].
    #[must_use]
    pub fn of(source: impl Source) -> Self {
        Self::new().source(source).source(Process::new())
    }

    /// Adds a source.
    #[must_use]
    pub fn source(self, source: impl Source) -> Self {
        self.with(None, Arc::new(source))
    }

    /// Adds a source whose samples have an additional label, which must not be one of their own. So
    /// another source of the same kind can be added, such as a second manager.
    ///
    /// # Panics
    /// Panics if the label does not match `[a-zA-Z_][a-zA-Z0-9_]*`.
    #[must_use]
    pub fn labelled(
        self,
        label: &'static str,
        value: impl Into<String>,
        source: impl Source,
    ) -> Self {
        assert!(
            is_name(label),
            "label name {label:?} must match [a-zA-Z_][a-zA-Z0-9_]*"
        );
        self.with(Some((label, value.into())), Arc::new(source))
    }

    fn with(mut self, label: Option<(&'static str, String)>, source: Arc<dyn Source>) -> Self {
        self.sources.push(Labelled { label, source });
        self
    }

    /// Collects the samples of all sources. `accept` is the `Accept` header, if present.
    ///
    /// Returns Prometheus' text, version 0.0.4, or OpenMetrics 1.0 if the client prefers
    /// OpenMetrics. A scrape reads counters, and does not wait.
    #[must_use]
    pub fn scrape(&self, accept: Option<&[u8]>) -> Scrape {
        let format = Format::of(accept);
        let mut families = Collector::new(format);
        for Labelled { label, source } in &self.sources {
            families.set_common(label.as_ref().map(|(name, value)| (*name, value.as_str())));
            source.collect(&mut families);
        }
        Scrape {
            content_type: format.content_type(),
            body: families.into_text(),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("sources", &self.sources.len())
            .finish()
    }
}
