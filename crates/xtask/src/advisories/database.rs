//! A checkout of the RustSec database, read for the locked packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use semver::VersionReq;
use serde::Deserialize;

use super::advisory::Advisory;
use super::lock::Lockfile;
use super::snapshot::Snapshot;
use crate::cargo::output;
use crate::date::Date;
use crate::error::Error;
use crate::files::read as read_file;

/// The head of an advisory's file, as far as the check needs it.
#[derive(Debug, Deserialize)]
struct AdvisoryHead {
    advisory: About,
    #[serde(default)]
    versions: Versions,
}

#[derive(Debug, Deserialize)]
struct About {
    id: String,
    package: String,
    informational: Option<String>,
    withdrawn: Option<toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<VersionReq>,
    #[serde(default)]
    unaffected: Vec<VersionReq>,
}

/// Creates a snapshot of the advisories about the locked packages.
pub(super) fn read(folder: &Path, lockfile: &Lockfile) -> Result<Snapshot, Error> {
    let packages: Vec<_> = lockfile.names().map(str::to_owned).collect();
    let mut advisories = Vec::new();
    for name in &packages {
        for file in files(&folder.join("crates").join(name))? {
            advisories
                .extend(advisory(&read_file(&file)?).map_err(|error| in_file(&file, &error))?);
        }
    }
    if advisories.is_empty() {
        return Err(Error::new(format!(
            "{} has no advisories in `crates`",
            folder.display()
        )));
    }
    Ok(Snapshot {
        date: date(folder)?,
        packages,
        advisories,
    })
}

/// Returns the day of the checkout's last commit.
fn date(folder: &Path) -> Result<Date, Error> {
    output(
        Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["log", "-1", "--format=%cs"]),
    )?
    .trim()
    .parse()
}

/// Returns the advisories of one package in order of their ids; a package without advisories has no
/// folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| in_file(folder, &Error::new(error.to_string())))?;
    let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort_unstable();
    Ok(files)
}

/// Reads the TOML at the head of a file. Returns `None` for withdrawn advisories and mere notices.
fn advisory(text: &str) -> Result<Option<Advisory>, Error> {
    let head = text
        .split_once("```toml\n")
        .and_then(|(_, rest)| rest.split_once("\n```"));
    let (head, _) = head.ok_or_else(|| Error::new("no TOML at the head"))?;
    let head: AdvisoryHead = toml::from_str(head).map_err(|error| Error::new(error.to_string()))?;
    let About {
        id,
        package,
        informational,
        withdrawn,
    } = head.advisory;
    if withdrawn.is_some() || informational.as_deref() == Some("notice") {
        return Ok(None);
    }
    let kind = informational.unwrap_or_else(|| "vulnerability".to_owned());
    let Versions {
        patched,
        unaffected,
    } = head.versions;
    Ok(Some(Advisory {
        id,
        package,
        kind,
        patched,
        unaffected,
    }))
}

fn in_file(file: &Path, error: &Error) -> Error {
    Error::new(format!("failed to read {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(more: &str) -> String {
        format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2024-0001\"\npackage = \"a\"\ndate = \"2024-01-01\"\n{more}\n\
             [versions]\npatched = [\"^ 2.2.1\", \">= 3.0.0-beta.9\"]\n```\n\n# A title\n\nWords.\n"
        )
    }

    #[test]
    fn the_head_of_a_file_is_an_advisory() {
        let found = advisory(&text("")).unwrap().unwrap();
        assert_eq!(
            (found.id.as_str(), found.kind.as_str()),
            ("RUSTSEC-2024-0001", "vulnerability")
        );
        assert!(found.affects("a", &"2.2.0".parse().unwrap()));
        assert!(!found.affects("a", &"3.1.0".parse().unwrap()));
        let unsound = advisory(&text("informational = \"unsound\""))
            .unwrap()
            .unwrap();
        assert_eq!(unsound.kind, "unsound");
    }

    #[test]
    fn withdrawn_advisories_and_notices_do_not_count() {
        for more in ["withdrawn = \"2024-02-02\"", "informational = \"notice\""] {
            assert_eq!(advisory(&text(more)).unwrap(), None, "{more}");
        }
    }

    #[test]
    fn a_file_of_another_shape_is_an_error() {
        for text in [
            "",
            "# A title",
            "```toml\nid = 1\n```",
            &text("").replace(">= 3", "at least 3"),
        ] {
            assert!(advisory(text).is_err(), "{text}");
        }
    }
}
