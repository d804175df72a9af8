//! The advisory check: no locked dependency has a known vulnerability, except for listed
//! exceptions.
//!
//! Advisories come from a committed snapshot of the RustSec database (CC0, <https://rustsec.org>),
//! so the check needs no network. The snapshot has only the advisories about packages of
//! `Cargo.lock`, and lists the packages that were looked up.

mod advisory;
mod database;
mod exception;
mod lock;
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::Metadata;

use self::advisory::Advisory;
use self::exception::{Exception, Exceptions};
use self::lock::{Locked, Lockfile};
use self::snapshot::Snapshot;
use crate::cargo;
use crate::date::Date;
use crate::error::Error;
use crate::files::read;
use crate::graph::Graph;

/// Maximum age of the snapshot in days before the check reports it as old.
const OLD: u64 = 120;

const USAGE: &str = "usage: cargo xtask advisories [--database DIR]

Fails if a package of Cargo.lock is affected by an advisory of the snapshot
(crates/xtask/advisories/snapshot.toml) and no exception for it
(crates/xtask/advisories/exceptions.toml) is in force.

  --database DIR   first makes the snapshot anew from a checkout of the RustSec
                   database:
                   git clone --depth 1 https://github.com/rustsec/advisory-db DIR";

/// The step of CI: checks against the committed snapshot.
pub(crate) fn check() -> Result<(), Error> {
    run(&[])
}

/// Runs the command with its arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let files = AdvisoryFiles::of(&cargo::metadata()?);
    let lockfile = Lockfile::read(&files.lockfile)?;
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => {}
        ["--help"] => {
            println!("{USAGE}");
            return Ok(());
        }
        ["--database", folder] => {
            let snapshot = database::read(Path::new(folder), &lockfile)?;
            fs::write(&files.snapshot, snapshot.to_toml())
                .map_err(|error| Error::new(format!("failed to write the snapshot: {error}")))?;
        }
        _ => return Err(Error::new(USAGE)),
    }
    let snapshot = Snapshot::from_toml(&read(&files.snapshot)?)?;
    let exceptions = Exceptions::from_toml(&read(&files.exceptions)?)?;
    let by_default = Graph::of(&cargo::default_metadata()?);
    let check = Check {
        lockfile,
        snapshot,
        exceptions,
        today: Date::today(),
    };
    println!("{}", check.summary());
    let problems =
        check.problems(&|package| by_default.members_need(&package.name, &package.version));
    if problems.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect();
    Err(Error::new(format!(
        "dependencies have advisories:{}",
        lines.concat()
    )))
}

/// The files that the check reads.
struct AdvisoryFiles {
    lockfile: PathBuf,
    snapshot: PathBuf,
    exceptions: PathBuf,
}

impl AdvisoryFiles {
    fn of(metadata: &Metadata) -> Self {
        let root = metadata.workspace_root.as_std_path();
        let folder = root.join("crates/xtask/advisories");
        Self {
            lockfile: root.join("Cargo.lock"),
            snapshot: folder.join("snapshot.toml"),
            exceptions: folder.join("exceptions.toml"),
        }
    }
}

/// Everything that one check compares.
struct Check {
    lockfile: Lockfile,
    snapshot: Snapshot,
    exceptions: Exceptions,
    today: Date,
}

impl Check {
    /// Returns a summary of what was checked against what, and what was not.
    fn summary(&self) -> String {
        let Snapshot {
            date, advisories, ..
        } = &self.snapshot;
        let age = self.today.days_since(*date);
        let mut text = format!(
            "advisories: {} packages, {} advisories of a snapshot of {date}, {age} days old",
            self.lockfile.packages().len(),
            advisories.len(),
        );
        if age > OLD {
            text.push_str("\n  the snapshot is old: see `cargo xtask advisories --help`");
        }
        let unknown = self
            .lockfile
            .names()
            .filter(|name| !self.snapshot.has_looked_up(name));
        let unknown: Vec<_> = unknown.collect();
        if !unknown.is_empty() {
            text.push_str(&format!(
                "\n  newer than the snapshot, so not checked: {}",
                unknown.join(", ")
            ));
        }
        for exception in self.exceptions.all() {
            text.push_str(&format!("\n  exception: {exception}"));
        }
        text
    }

    /// Returns what must be repaired. `by_default` returns `true` if the workspace needs a package
    /// without optional features.
    fn problems(&self, by_default: &dyn Fn(&Locked) -> bool) -> Vec<String> {
        let mut problems = Vec::new();
        let mut used: Vec<&Exception> = Vec::new();
        for (package, advisory) in self.affected() {
            let Some(exception) = self.exceptions.find(&advisory.id, package) else {
                problems.push(format!("{package} is affected by {advisory}"));
                continue;
            };
            used.push(exception);
            if exception.is_over(self.today) {
                problems.push(format!(
                    "the exception for {package} has expired: {advisory}"
                ));
            }
            if exception.optional && by_default(package) {
                problems.push(format!(
                    "{package} is needed by default features: {advisory}"
                ));
            }
        }
        let unused = self
            .exceptions
            .all()
            .iter()
            .filter(|exception| !used.contains(exception));
        problems
            .extend(unused.map(|exception| format!("exception is no longer needed: {exception}")));
        problems
    }

    fn affected(&self) -> impl Iterator<Item = (&Locked, &Advisory)> {
        let packages = self.lockfile.packages().iter();
        packages.flat_map(|package| {
            let advisories = self.snapshot.advisories.iter();
            let affecting =
                advisories.filter(|advisory| advisory.affects(&package.name, &package.version));
            affecting.map(move |advisory| (package, advisory))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &str = r#"
        date = "2026-08-21"
        packages = ["h2", "tokio"]
        advisories = [
            { id = "RUSTSEC-2026-0258", package = "h2", kind = "vulnerability", patched = [">= 0.4.16"], unaffected = [] },
        ]
    "#;

    fn check(locked: &[(&str, &str)], exceptions: &str, today: &str) -> Check {
        Check {
            lockfile: Lockfile::made_up(locked),
            snapshot: Snapshot::from_toml(SNAPSHOT).unwrap(),
            exceptions: Exceptions::from_toml(exceptions).unwrap(),
            today: today.parse().unwrap(),
        }
    }

    fn exception(optional: bool) -> String {
        format!(
            "[[exception]]\nid = \"RUSTSEC-2026-0258\"\npackage = \"h2\"\nversion = \"0.3.27\"\n\
             until = \"2027-05-31\"\noptional = {optional}\nreason = \"an optional feature\"\n"
        )
    }

    #[test]
    fn an_affected_version_is_a_problem() {
        let check = check(
            &[("h2", "0.3.27"), ("h2", "0.4.20"), ("tokio", "1.0.0")],
            "",
            "2026-12-01",
        );
        let problems = check.problems(&|_| true);
        assert_eq!(
            problems,
            [
                "h2 0.3.27 is affected by RUSTSEC-2026-0258 (vulnerability, patched in >=0.4.16): \
              https://rustsec.org/advisories/RUSTSEC-2026-0258.html"
            ]
        );
    }

    #[test]
    fn an_exception_holds_for_its_version_until_its_day() {
        let affected = [("h2", "0.3.27")];
        let on = |locked: &[(&str, &str)], today| {
            check(locked, &exception(false), today)
                .problems(&|_| true)
                .concat()
        };
        assert_eq!(on(&affected, "2027-05-31"), "");
        assert!(on(&affected, "2027-06-01").contains("has expired"));
        assert!(
            on(&[("h2", "0.3.26"), ("h2", "0.3.27")], "2027-01-01")
                .contains("h2 0.3.26 is affected")
        );
        assert!(on(&[("h2", "0.4.20")], "2027-01-01").contains("no longer needed"));
    }

    #[test]
    fn option_exception_does_not_cover_a_default() {
        let check = check(&[("h2", "0.3.27")], &exception(true), "2026-12-01");
        assert_eq!(check.problems(&|_| false), [""; 0]);
        assert!(
            check
                .problems(&|_| true)
                .concat()
                .contains("needed by default features")
        );
    }

    #[test]
    fn summary_names_unchecked_parts() {
        let check = check(
            &[("h2", "0.4.20"), ("brand-new", "0.1.0")],
            "",
            "2027-11-30",
        );
        let summary = check.summary();
        assert!(summary.contains("snapshot of 2026-08-21"), "{summary}");
        assert!(summary.contains("not checked: brand-new"), "{summary}");
        assert!(summary.contains("the snapshot is old"), "{summary}");
    }

    /// The committed files are those that the step reads.
    #[test]
    fn the_committed_files_are_read() {
        let files = AdvisoryFiles::of(&cargo::metadata().unwrap());
        let snapshot = Snapshot::from_toml(&read(&files.snapshot).unwrap()).unwrap();
        assert!(snapshot.has_looked_up("tokio") && snapshot.advisories.len() > 50);
        assert_eq!(
            Snapshot::from_toml(&snapshot.to_toml()).unwrap().to_toml(),
            snapshot.to_toml()
        );
        Exceptions::from_toml(&read(&files.exceptions).unwrap()).unwrap();
        assert!(
            Lockfile::read(&files.lockfile)
                .unwrap()
                .names()
                .any(|name| name == "tokio")
        );
    }
}
