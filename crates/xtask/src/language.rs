//! The language lint: documentation, log messages and errors in plain English.
//!
//! A finding is a phrase of the dictionary, a prose line over 100 columns, or an item doc that
//! opens with a word that hides its subject (2 % of them may). `language.toml` has the number of
//! findings that each part of the workspace may still have. A budget that is larger than the number
//! of findings fails as well, so the numbers can only fall.

mod passage;
mod rules;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::cargo::{metadata, output};
use crate::error::Error;
use passage::{Passage, PassageKind};
use rules::Finding;

/// Share of item docs that may open with a word that hides their subject, in percent.
const OPENINGS_PERCENT: usize = 2;

/// Findings that a part of the workspace may still have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FindingCounts {
    words: usize,
    long_lines: usize,
    openings: usize,
}

/// The findings in a part of the workspace.
#[derive(Debug, Default)]
struct PartFindings {
    counts: FindingCounts,
    item_docs: usize,
    findings: Vec<String>,
}

/// Checks every file under version control, and prints file, line and word of each finding beyond
/// the budget.
pub(crate) fn check() -> Result<(), Error> {
    let root = metadata()?.workspace_root.into_std_path_buf();
    let budgets = budgets(&root)?;
    let listed = output(
        Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(&root),
    )?;
    let mut parts: BTreeMap<String, PartFindings> = budgets
        .keys()
        .map(|name| (name.clone(), PartFindings::default()))
        .collect();
    for path in listed.split('\0').filter(|path| is_checked(path)) {
        let text = fs::read_to_string(root.join(path))
            .map_err(|error| Error::new(format!("failed to read {path}: {error}")))?;
        parts.entry(part_of(path)).or_default().add(path, &text);
    }
    let problems: Vec<_> = parts
        .iter()
        .flat_map(|(name, part)| part.judge(name, budgets.get(name).copied().unwrap_or_default()))
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::new(problems.join("\n")))
}

fn budgets(root: &Path) -> Result<BTreeMap<String, FindingCounts>, Error> {
    let path = root.join("crates/xtask/language.toml");
    let failed = |error: &dyn std::fmt::Display| Error::new(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
    toml::from_str(&text).map_err(|error| failed(&error))
}

/// Returns `true` if a file contains prose of this project. The declarations of the npm package
/// repeat that of its modules.
fn is_checked(path: &str) -> bool {
    let is_text = [".rs", ".md", ".js", ".mjs", ".ts"]
        .iter()
        .any(|end| path.ends_with(end));
    let is_excepted = path.contains("/corpus/")
        || path.starts_with("crates/sse-browser/js/types/")
        || path == "crates/xtask/src/language/rules.rs";
    is_text && !is_excepted
}

/// Returns the part of a file: a crate, or a folder of the root.
fn part_of(path: &str) -> String {
    let mut words = path.split('/');
    match (words.next(), words.next(), words.next()) {
        (Some("crates"), Some(name), Some(_)) => name.to_owned(),
        (Some(folder), Some(_), _) => folder.to_owned(),
        _ => "root".to_owned(),
    }
}

impl PartFindings {
    fn add(&mut self, path: &str, text: &str) {
        for passage in passage::passages(path, text) {
            self.item_docs += usize::from(passage.kind == PassageKind::ItemDoc);
            for finding in rules::findings(&passage) {
                self.note(path, &passage, &finding);
            }
        }
    }

    fn note(&mut self, path: &str, passage: &Passage<'_>, finding: &Finding) {
        let (counter, what) = match finding {
            Finding::Word(word) => (&mut self.counts.words, format!("`{word}`")),
            Finding::LongLine(columns) => {
                (&mut self.counts.long_lines, format!("{columns} columns"))
            }
            Finding::Opening(word) => (&mut self.counts.openings, format!("opens with `{word}`")),
        };
        *counter += 1;
        self.findings
            .push(format!("{path}:{}: {what}", passage.line));
    }

    /// Compares the findings with the budget of the part, and returns the problems.
    fn judge(&self, name: &str, budget: FindingCounts) -> Vec<String> {
        let spared = self.item_docs * OPENINGS_PERCENT / 100;
        let found = FindingCounts {
            openings: self.counts.openings.saturating_sub(spared),
            ..self.counts
        };
        if found == budget {
            return Vec::new();
        }
        let pairs = [
            (found.words, budget.words),
            (found.long_lines, budget.long_lines),
            (found.openings, budget.openings),
        ];
        let FindingCounts {
            words,
            long_lines,
            openings,
        } = found;
        let row = format!(
            "{name} = {{ words = {words}, long_lines = {long_lines}, openings = {openings} }}"
        );
        if pairs.iter().all(|(found, allowed)| found <= allowed) {
            return vec![format!(
                "fewer findings than the budget; in language.toml: {row}"
            )];
        }
        let mut problems = self.findings.clone();
        problems.push(format!("more findings than the budget: {row}"));
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(path: &str, text: &str) -> PartFindings {
        let mut part = PartFindings::default();
        part.add(path, text);
        part
    }

    #[test]
    fn findings_name_file_line_and_word() {
        let part = part(
            "crates/a/src/b.rs",
            "/// Returns it.\nfn a() {}\n\n// The log is away.\nfn b() {}\n",
        );
        assert_eq!(part.findings, ["crates/a/src/b.rs:4: `is away`"]);
        assert_eq!(
            part.counts,
            FindingCounts {
                words: 1,
                ..FindingCounts::default()
            }
        );
        assert_eq!(part.item_docs, 1);
    }

    #[test]
    fn more_or_fewer_findings_than_the_budget_fail() {
        let part = part("a.md", "It is gone.\n");
        let judged = |words| {
            part.judge(
                "root",
                FindingCounts {
                    words,
                    ..FindingCounts::default()
                },
            )
        };
        assert_eq!(judged(1), Vec::<String>::new());
        let row = "root = { words = 1, long_lines = 0, openings = 0 }";
        assert_eq!(
            judged(0),
            [
                "a.md:1: `is gone`".to_owned(),
                format!("more findings than the budget: {row}")
            ]
        );
        assert_eq!(
            judged(2),
            [format!(
                "fewer findings than the budget; in language.toml: {row}"
            )]
        );
    }

    #[test]
    fn two_percent_of_openings_are_spared() {
        let docs = |good: usize| {
            let text = "/// Returns it.\nfn a() {}\n".repeat(good) + "/// What it is.\nfn b() {}\n";
            part("crates/a/src/b.rs", &text).judge("a", FindingCounts::default())
        };
        assert_eq!(docs(49), Vec::<String>::new());
        assert_eq!(docs(48).len(), 2);
    }

    #[test]
    fn parts_are_crates_and_folders() {
        assert_eq!(part_of("crates/sse-core/src/lib.rs"), "sse-core");
        assert_eq!(part_of("docs/design.md"), "docs");
        assert_eq!(part_of("README.md"), "root");
    }
}
