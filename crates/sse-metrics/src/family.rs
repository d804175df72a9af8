//! Names and meanings of metrics.

/// A counter, a gauge or an info: its name, its help, and the names of its labels.
///
/// Define a family as a constant: then a name that Prometheus would reject is a compile error.
/// Names match `[a-zA-Z_][a-zA-Z0-9_]*`, and each sample has as many values as there are labels.
/// Put the unit last (`_seconds`, `_bytes`). Labels are for small fixed sets. A label with user ids
/// or topics would create a time series for each of them.
///
/// ```
/// use sse_metrics::Family;
///
/// const RINGS: Family = Family::counter("app_rings", "Rings that were rung."); // `app_rings_total`
/// const ROOMS: Family<1> = Family::gauge("app_rooms", "Rooms, by state.").labels(["state"]);
/// # let _ = (RINGS, ROOMS);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family<const LABELS: usize = 0> {
    pub(crate) header: FamilyHeader,
    pub(crate) labels: [&'static str; LABELS],
}

/// A histogram of durations: its name, its help, and the names of its labels. The rules of
/// [`Family`] apply. [`DurationHistogram`](crate::DurationHistogram) records the durations, and has
/// an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histogram<const LABELS: usize = 0> {
    pub(crate) header: FamilyHeader,
    pub(crate) labels: [&'static str; LABELS],
}

/// The lines that precede the samples of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FamilyHeader {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: MetricKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricKind {
    Counter,
    Gauge,
    Info,
    Histogram,
}

impl Family {
    /// Creates a counter, a number that only grows. Its samples are named `{name}_total`.
    ///
    /// # Panics
    /// Panics if the name does not match `[a-zA-Z_][a-zA-Z0-9_]*`, if it ends in a sample's suffix
    /// (`_total`, `_info`, `_bucket`, `_count`, `_sum`, `_created`), or if the help is empty. In a
    /// constant, the panic is a compile error.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self {
            header: FamilyHeader::new(name, help, MetricKind::Counter),
            labels: [],
        }
    }

    /// Creates a gauge, a number that goes up and down.
    ///
    /// # Panics
    /// Panics as [`Family::counter`] does.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self {
            header: FamilyHeader::new(name, help, MetricKind::Gauge),
            labels: [],
        }
    }

    /// Creates an info, constant facts in the form of labels. Its sample is named `{name}_info`,
    /// with the value 1.
    ///
    /// # Panics
    /// Panics as [`Family::counter`] does.
    #[must_use]
    pub const fn info(name: &'static str, help: &'static str) -> Self {
        Self {
            header: FamilyHeader::new(name, help, MetricKind::Info),
            labels: [],
        }
    }

    /// Sets the names of the labels.
    ///
    /// # Panics
    /// Panics if a name does not match `[a-zA-Z_][a-zA-Z0-9_]*`, starts with `__`, is `le`, or
    /// occurs twice.
    #[must_use]
    pub const fn labels<const LABELS: usize>(
        self,
        labels: [&'static str; LABELS],
    ) -> Family<LABELS> {
        check_labels(&labels);
        Family {
            header: self.header,
            labels,
        }
    }
}

impl Histogram {
    /// Creates a histogram of durations, in seconds.
    ///
    /// # Panics
    /// Panics as [`Family::counter`] does, and if the name does not end in `_seconds`.
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        assert!(
            ends_with(name, "_seconds"),
            "histogram name must end with _seconds"
        );
        Self {
            header: FamilyHeader::new(name, help, MetricKind::Histogram),
            labels: [],
        }
    }

    /// Sets the names of the labels.
    ///
    /// # Panics
    /// Panics as [`Family::labels`] does.
    #[must_use]
    pub const fn labels<const LABELS: usize>(
        self,
        labels: [&'static str; LABELS],
    ) -> Histogram<LABELS> {
        check_labels(&labels);
        Histogram {
            header: self.header,
            labels,
        }
    }
}

impl FamilyHeader {
    const fn new(name: &'static str, help: &'static str, kind: MetricKind) -> Self {
        assert!(
            is_name(name),
            "metric name must match [a-zA-Z_][a-zA-Z0-9_]*"
        );
        assert!(!help.is_empty(), "metric help text is empty");
        let mut index = 0;
        while index < RESERVED.len() {
            assert!(
                !ends_with(name, RESERVED[index]),
                "metric name ends with a reserved suffix"
            );
            index += 1;
        }
        Self { name, help, kind }
    }

    /// Returns the suffix that samples append to the name.
    pub(crate) const fn suffix(self) -> &'static str {
        match self.kind {
            MetricKind::Counter => "_total",
            MetricKind::Info => "_info",
            MetricKind::Gauge | MetricKind::Histogram => "",
        }
    }

    pub(crate) fn unit(self) -> Option<&'static str> {
        ["seconds", "bytes"].into_iter().find(|unit| {
            self.name
                .strip_suffix(unit)
                .is_some_and(|rest| rest.ends_with('_'))
                && self.kind != MetricKind::Info
        })
    }
}

/// Suffixes of samples (OpenMetrics 1.0, section "Suffixes").
const RESERVED: [&str; 6] = ["_total", "_info", "_bucket", "_count", "_sum", "_created"];

const fn check_labels(labels: &[&str]) {
    let mut index = 0;
    while index < labels.len() {
        assert!(
            is_name(labels[index]),
            "label name must match [a-zA-Z_][a-zA-Z0-9_]*"
        );
        assert!(
            !starts_with(labels[index], "__"),
            "label name starts with the reserved prefix __"
        );
        assert!(
            !is_same(labels[index], "le"),
            "label name `le` is reserved for histograms"
        );
        let mut other = 0;
        while other < index {
            assert!(
                !is_same(labels[index], labels[other]),
                "duplicate label name"
            );
            other += 1;
        }
        index += 1;
    }
}

pub(crate) const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        if !(byte.is_ascii_alphabetic() || byte == b'_' || byte.is_ascii_digit() && index > 0) {
            return false;
        }
        index += 1;
    }
    !bytes.is_empty()
}

const fn starts_with(text: &str, start: &str) -> bool {
    text.len() >= start.len() && has_at(text, start, 0)
}

const fn ends_with(text: &str, end: &str) -> bool {
    text.len() >= end.len() && has_at(text, end, text.len() - end.len())
}

const fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && has_at(one, other, 0)
}

const fn has_at(text: &str, part: &str, at: usize) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let mut index = 0;
    while index < part.len() {
        if text[at + index] != part[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn invalid_names_are_rejected() {
        for name in [
            "",
            "1a",
            "a-b",
            "a.b",
            "ä",
            "a b",
            "rings_total",
            "a_bucket",
            "x_info",
            "x_created",
        ] {
            assert!(
                catch_unwind(|| Family::counter(name, "help")).is_err(),
                "{name}"
            );
        }
        assert!(catch_unwind(|| Family::gauge("a", "")).is_err(), "no help");
        assert!(
            catch_unwind(|| Histogram::new("calls", "help")).is_err(),
            "no unit"
        );
        for labels in [
            ["", "b"],
            ["a", "a"],
            ["__a", "b"],
            ["le", "b"],
            ["a", "b-c"],
        ] {
            assert!(
                catch_unwind(|| Family::gauge("a", "help").labels(labels)).is_err(),
                "{labels:?}"
            );
        }
        let family = Family::gauge("_a1_B", "help").labels(["a", "_b"]);
        assert_eq!((family.header.name, family.labels), ("_a1_B", ["a", "_b"]));
    }

    #[test]
    fn units_follow_names() {
        for (name, unit) in [
            ("sent_bytes", Some("bytes")),
            ("a_b_seconds", Some("seconds")),
            ("kilobytes", None),
            ("bytes", None),
            ("streams", None),
        ] {
            assert_eq!(Family::counter(name, "help").header.unit(), unit, "{name}");
        }
    }
}
