//! Third-party parsers.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use prometheus_parse::Value;

/// The samples of a text, read by a third-party parser.
pub(crate) struct Samples(prometheus_parse::Scrape);

impl Samples {
    pub(crate) fn read(text: &str) -> Self {
        Self(prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap())
    }

    /// Returns the number of a counter or gauge.
    #[track_caller]
    pub(crate) fn number(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let is_it = |sample: &&prometheus_parse::Sample| {
            sample.metric == name
                && sample.labels.len() == labels.len()
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(label) == Some(value))
        };
        let found: Vec<_> = self.0.samples.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}");
        match found[0].value {
            Value::Counter(number) | Value::Gauge(number) => number,
            ref other => panic!("{name} is {other:?}"),
        }
    }

    pub(crate) fn label_values(&self, name: &str, label: &str) -> Vec<String> {
        let of_it = self.0.samples.iter().filter(|sample| sample.metric == name);
        of_it
            .map(|sample| sample.labels.get(label).unwrap().to_owned())
            .collect()
    }

    pub(crate) fn histogram(&self, name: &str) -> Vec<(f64, f64)> {
        let found = self
            .0
            .samples
            .iter()
            .find(|sample| sample.metric == name)
            .unwrap();
        let Value::Histogram(counts) = &found.value else {
            panic!("{name} is {:?}", found.value)
        };
        counts
            .iter()
            .map(|count| (count.less_than, count.count))
            .collect()
    }
}

/// Checks a text with Prometheus' own parser, which is strict and also checks names. Does nothing
/// if `promtool` is not installed.
pub(crate) fn check_with_promtool(text: &str) {
    let Some(promtool) = sse_testkit::executable("promtool").unwrap() else {
        return;
    };
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}
