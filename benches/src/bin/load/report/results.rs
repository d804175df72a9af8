//! Reports that are kept in a file, so that a long measurement can be made in pieces.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::report::Report;

/// The file for reports, and the time limit.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Keeping {
    /// File to which each report is added. A measurement in the file is not repeated, so the same
    /// command continues where it stopped.
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
    /// Seconds after which no further measurement starts; needs `--results`.
    #[arg(long, value_name = "SECONDS", requires = "results")]
    pub(crate) within: Option<u64>,
}

/// A report, and its origin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) round: usize,
    /// Setting of the measurement: only reports of the same setting are combined.
    pub(crate) setting: String,
    pub(crate) report: Report,
}

/// The reports so far.
#[derive(Debug)]
pub(crate) struct Results {
    entries: Vec<Entry>,
    file: Option<PathBuf>,
    deadline: Option<Instant>,
}

impl Results {
    /// Reads the existing reports.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is not a file of reports.
    pub(crate) fn open(keeping: &Keeping) -> anyhow::Result<Self> {
        let text = match &keeping.results {
            Some(file) if file.exists() => {
                fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?
            }
            _ => String::new(),
        };
        let entries = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>();
        let entries = entries.context("the --results file has another format")?;
        let deadline = keeping
            .within
            .map(|seconds| Instant::now() + Duration::from_secs(seconds));
        Ok(Self {
            entries,
            file: keeping.results.clone(),
            deadline,
        })
    }

    /// Returns the report of a server in a round with this setting.
    pub(crate) fn get(&self, name: &str, round: usize, setting: &str) -> Option<&Report> {
        let is_it =
            |entry: &&Entry| entry.name == name && entry.round == round && entry.setting == setting;
        self.entries.iter().find(is_it).map(|entry| &entry.report)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Adds a report.
    ///
    /// # Errors
    ///
    /// If the report cannot be written.
    pub(crate) fn add(&mut self, entry: Entry) -> anyhow::Result<()> {
        if let Some(path) = &self.file {
            let mut file = OpenOptions::new().create(true).append(true).open(path);
            let file = file
                .as_mut()
                .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
            writeln!(file, "{}", serde_json::to_string(&entry)?)?;
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Measures all missing reports. Returns `true` if all reports exist now.
    ///
    /// # Errors
    ///
    /// If a server cannot be measured.
    pub(crate) fn complete(
        &mut self,
        requested: &[(String, usize, String)],
        mut measure: impl FnMut(usize) -> anyhow::Result<Report>,
    ) -> anyhow::Result<bool> {
        ensure!(!requested.is_empty(), "no measurement was requested");
        for (index, (name, round, setting)) in requested.iter().enumerate() {
            if self.get(name, *round, setting).is_some() {
                continue;
            }
            if self.is_over() {
                let left = requested
                    .iter()
                    .filter(|(name, round, setting)| self.get(name, *round, setting).is_none());
                eprintln!(
                    "{} of {} measurements are left: run it again to go on",
                    left.count(),
                    requested.len()
                );
                return Ok(false);
            }
            eprintln!("{} of {}: {name}", index + 1, requested.len());
            let (name, setting) = (name.clone(), setting.clone());
            let report = measure(index)?;
            self.add(Entry {
                name,
                round: *round,
                setting,
                report,
            })?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::report;

    #[test]
    fn resumed_measurement_measures_everything_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results");
        let requested: Vec<_> = (0..5)
            .map(|round| ("a".to_owned(), round, "s".to_owned()))
            .collect();
        let mut measured = Vec::new();
        let stopped = Keeping {
            results: Some(file.clone()),
            within: Some(0),
        };
        assert!(
            !Results::open(&stopped)
                .unwrap()
                .complete(&requested, |_| unreachable!(
                    "all measurements are complete"
                ))
                .unwrap()
        );
        let keeping = Keeping {
            results: Some(file),
            within: None,
        };
        for piece in [&requested[..2], &requested[..], &requested[..]] {
            let mut results = Results::open(&keeping).unwrap();
            let all = results.complete(piece, |index| {
                measured.push(index);
                Ok(report(1.0, 2.0, 3.0))
            });
            assert!(all.unwrap());
        }
        assert_eq!(measured, [0, 1, 2, 3, 4]);
        let results = Results::open(&keeping).unwrap();
        assert!(results.get("a", 4, "s").is_some() && results.get("a", 4, "other").is_none());
    }

    #[test]
    fn foreign_results_file_is_rejected() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "something\n").unwrap();
        assert!(
            Results::open(&Keeping {
                results: Some(file.path().into()),
                within: None
            })
            .is_err()
        );
    }
}
