//! Samples that sources put.

use std::fmt::Write as _;

use crate::{
    family::{Family, FamilyHeader, Histogram, MetricKind},
    format::Format,
    histogram::{DurationHistogram, UP_TO_SECONDS},
    value::Number,
};

/// The samples that sources put, family by family.
///
/// Several sources can put samples into the same family if their labels differ. Prometheus accepts
/// neither of two samples with the same labels.
///
/// ```
/// use sse_metrics::{Collector, Family, Metrics};
///
/// const ROOMS: Family<1> = Family::gauge("app_rooms", "Rooms, by state.").labels(["state"]);
///
/// let metrics = Metrics::new().source(|families: &mut Collector| {
///     families.put_each(&ROOMS, [("open", 7_u64), ("closed", 2)]);
/// });
/// assert!(metrics.scrape(None).body.contains("\napp_rooms{state=\"closed\"} 2\n"));
/// ```
#[derive(Debug)]
pub struct Collector {
    format: Format,
    families: Vec<(FamilyHeader, String)>,
    /// Labels that precede the own labels of every sample of the current source.
    common: String,
}

impl Collector {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            families: Vec::new(),
            common: String::new(),
        }
    }

    /// Puts a sample into a family, with a value for each of the family's labels, in their order.
    pub fn put<const LABELS: usize>(
        &mut self,
        family: &Family<LABELS>,
        values: [&str; LABELS],
        number: impl Into<Number>,
    ) {
        let labels = self.labels(&family.labels, &values);
        self.line(
            family.header,
            family.header.suffix(),
            &labels,
            &number.into(),
        );
    }

    /// Puts a sample for each of a fixed set of names, which become the values of the label.
    pub fn put_each<'a, N: Into<Number>>(
        &mut self,
        family: &Family<1>,
        samples: impl IntoIterator<Item = (&'a str, N)>,
    ) {
        for (name, number) in samples {
            self.put(family, [name], number);
        }
    }

    /// Puts the recorded durations: the buckets, the sum in seconds, and the count.
    pub fn put_durations<const LABELS: usize>(
        &mut self,
        histogram: &Histogram<LABELS>,
        values: [&str; LABELS],
        durations: &DurationHistogram,
    ) {
        let recorded = durations.recorded();
        let labels = self.labels(&histogram.labels, &values);
        let mut count = 0;
        let bounds = UP_TO_SECONDS.into_iter().chain([f64::INFINITY]);
        for (bound, in_it) in bounds.zip(recorded.counts) {
            count += in_it;
            let comma = if labels.is_empty() { "" } else { "," };
            let labels = format!("{labels}{comma}le=\"{}\"", Number::from(bound));
            self.line(histogram.header, "_bucket", &labels, &count.into());
        }
        // A float is exact enough: it holds nanoseconds for a hundred days, which is the expected
        // range.
        let sum = recorded.nanos as f64 / 1e9;
        self.line(histogram.header, "_sum", &labels, &sum.into());
        self.line(histogram.header, "_count", &labels, &count.into());
    }

    /// Sets the label that precedes the own labels of the following samples.
    pub(crate) fn set_common(&mut self, label: Option<(&str, &str)>) {
        self.common.clear();
        if let Some((name, value)) = label {
            push_label(&mut self.common, name, value);
        }
    }

    /// Returns the whole text, family by family.
    pub(crate) fn into_text(self) -> String {
        let mut text = String::new();
        for (header, samples) in &self.families {
            push_header(&mut text, *header, self.format);
            text.push_str(samples);
        }
        if self.format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }

    fn labels(&self, names: &[&str], values: &[&str]) -> String {
        let mut labels = self.common.clone();
        for (name, value) in names.iter().zip(values) {
            push_label(&mut labels, name, value);
        }
        labels
    }

    fn line(&mut self, header: FamilyHeader, suffix: &str, labels: &str, number: &Number) {
        let samples = self.samples(header);
        samples.push_str(header.name);
        samples.push_str(suffix);
        if !labels.is_empty() {
            samples.push('{');
            samples.push_str(labels);
            samples.push('}');
        }
        // Writing to a string does not fail.
        let _ = writeln!(samples, " {number}");
    }

    /// Returns the samples of a family. The search is backward, because most samples belong to the
    /// family of the previous sample.
    fn samples(&mut self, header: FamilyHeader) -> &mut String {
        let known = self
            .families
            .iter()
            .rposition(|(known, _)| known.name == header.name);
        let place = known.unwrap_or_else(|| {
            self.families.push((header, String::new()));
            self.families.len() - 1
        });
        &mut self.families[place].1
    }
}

fn push_header(text: &mut String, header: FamilyHeader, format: Format) {
    let name = header.name;
    let (suffix, kind) = match (format, header.kind) {
        (Format::OpenMetrics, MetricKind::Counter) => ("", "counter"),
        (Format::OpenMetrics, MetricKind::Info) => ("", "info"),
        (Format::Text, MetricKind::Counter) => ("_total", "counter"),
        (Format::Text, MetricKind::Info) => ("_info", "gauge"),
        (_, MetricKind::Gauge) => ("", "gauge"),
        (_, MetricKind::Histogram) => ("", "histogram"),
    };
    let _ = write!(text, "# HELP {name}{suffix} ");
    push_escaped(text, header.help, format == Format::OpenMetrics);
    let _ = writeln!(text, "\n# TYPE {name}{suffix} {kind}");
    if let (Format::OpenMetrics, Some(unit)) = (format, header.unit()) {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
}

fn push_label(labels: &mut String, name: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(name);
    labels.push_str("=\"");
    push_escaped(labels, value, true);
    labels.push('"');
}

/// Escapes text. Prometheus' text format does not escape quotes in a help text, but OpenMetrics
/// does.
fn push_escaped(text: &mut String, part: &str, quotes: bool) {
    for character in part.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes => text.push_str("\\\""),
            other => text.push(other),
        }
    }
}
