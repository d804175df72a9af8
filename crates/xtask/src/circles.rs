//! The circle check: no file imports from a file that imports from it, directly or indirectly, and
//! the folders of `sse-core` import downwards.
//!
//! Imports are paths that begin with `crate`, `self` or `super`, in a `use` and elsewhere. The code
//! of tests is exempt, and so is a `pub use self::…` with which a file publishes its children.

mod imports;
mod lexer;
mod order;
mod paths;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use self::imports::Imports;
use crate::cargo;
use crate::error::Error;
use crate::files::read;

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
enum CircleViolation {
    Circle {
        folder: String,
        files: Vec<String>,
    },
    Upwards {
        folder: String,
        from: String,
        to: String,
    },
}

impl fmt::Display for CircleViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Circle { folder, files } => write!(f, "{folder}: {}", files.join(" -> ")),
            Self::Upwards { folder, from, to } => {
                write!(
                    f,
                    "{folder}: {from} imports from {to}, whose folder is not below its own"
                )
            }
        }
    }
}

/// The files of one crate, or of one of its programs.
#[derive(Debug)]
pub(crate) struct CrateFiles {
    /// The name of the package.
    package: String,
    /// The folder, from the root of the workspace.
    pub(crate) folder: String,
    /// Names, from the folder, and texts.
    pub(crate) files: Vec<(String, String)>,
}

/// Checks the workspace.
pub(crate) fn check() -> Result<(), Error> {
    let all = workspace()?;
    let (mut violations, mut files) = (Vec::new(), 0);
    for sources in &all {
        let imports = sources.imports();
        files += imports.files();
        violations.extend(sources.violations(&imports));
    }
    if violations.is_empty() {
        println!("circles: {files} files, none of which is in an import cycle");
        return Ok(());
    }
    let lines: Vec<_> = violations
        .iter()
        .map(|violation| format!("\n  {violation}"))
        .collect();
    Err(Error::new(format!(
        "files import in circles, or upwards:{}",
        lines.concat()
    )))
}

impl CrateFiles {
    fn imports(&self) -> Imports {
        Imports::of(
            self.files
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str())),
        )
    }

    fn violations(&self, imports: &Imports) -> Vec<CircleViolation> {
        let circle = |files: Vec<&str>| CircleViolation::Circle {
            folder: self.folder.clone(),
            files: files.into_iter().map(str::to_owned).collect(),
        };
        let mut found: Vec<_> = imports.circles().into_iter().map(circle).collect();
        if self.package == order::CRATE {
            let upwards = imports
                .edges()
                .filter(|(from, to)| !order::allows(from, to));
            found.extend(upwards.map(|(from, to)| CircleViolation::Upwards {
                folder: self.folder.clone(),
                from: from.to_owned(),
                to: to.to_owned(),
            }));
        }
        found
    }
}

/// Reads the `src` of every crate of the workspace.
pub(crate) fn workspace() -> Result<Vec<CrateFiles>, Error> {
    let metadata = cargo::metadata()?;
    let root = metadata.workspace_root.as_std_path();
    let mut all = Vec::new();
    for package in metadata.workspace_packages() {
        let source = package.manifest_path.as_std_path().with_file_name("src");
        for (folder, files) in crates(&rust_files(&source)?, &source) {
            let mut sources = CrateFiles {
                package: package.name.to_string(),
                folder: shown(&folder, root),
                files: Vec::with_capacity(files.len()),
            };
            for file in files {
                sources.files.push((shown(&file, &folder), read(&file)?));
            }
            all.push(sources);
        }
    }
    all.sort_by(|one, other| one.folder.cmp(&other.folder));
    Ok(all)
}

/// Splits the files of a `src` into those of the crate and those of each program in a folder of
/// `bin`. A program of one file has nothing to import from.
fn crates(files: &[PathBuf], source: &Path) -> Vec<(PathBuf, Vec<PathBuf>)> {
    let programs = source.join("bin");
    let mut crates = vec![(source.to_owned(), Vec::new())];
    for file in files {
        let Ok(path) = file.strip_prefix(&programs) else {
            crates[0].1.push(file.clone());
            continue;
        };
        let Some(program) = path.iter().next().filter(|_| path.components().count() > 1) else {
            continue;
        };
        let program = programs.join(program);
        match crates.iter_mut().find(|(folder, _)| *folder == program) {
            Some((_, files)) => files.push(file.clone()),
            None => crates.push((program, vec![file.clone()])),
        }
    }
    crates
}

/// Returns the Rust files in a folder and the folders below it, in order; empty if the folder does
/// not exist.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries
        .map_err(|error| Error::new(format!("failed to read {}: {error}", folder.display())))?;
    let mut files = Vec::new();
    for path in entries.iter().map(fs::DirEntry::path) {
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Returns a path relative to a folder, with slashes.
fn shown(path: &Path, folder: &Path) -> String {
    let names = path
        .strip_prefix(folder)
        .unwrap_or(path)
        .iter()
        .map(|name| name.to_string_lossy());
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the violations of a constructed crate, formatted.
    fn violations(package: &str, files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let sources = CrateFiles {
            package: package.to_owned(),
            folder: format!("crates/{package}/src"),
            files,
        };
        sources
            .violations(&sources.imports())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_crate_without_circles_passes() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use crate::a::A;"),
            ("a.rs", "pub(crate) mod builder; use crate::b::{B, C as D};"),
            (
                "a/builder.rs",
                "use super::A; use crate::b; #[cfg(test)] mod tests { use crate::b::B; }",
            ),
            (
                "b.rs",
                "use std::fmt; #[cfg(test)] mod tests { use crate::a::A; }",
            ),
        ];
        assert_eq!(violations("sse-auth", &files), [""; 0]);
    }

    #[test]
    fn circles_are_refused_with_the_way() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod builder; use self::builder::Builder;"),
            (
                "a/builder.rs",
                "use std::{fmt, io::{self, Read as _}}; use crate::{b::{C, d::{E as F}}};",
            ),
            ("b.rs", "fn f(_: crate::a::A) {}"),
        ];
        assert_eq!(
            violations("sse-auth", &files),
            ["crates/sse-auth/src: a.rs -> a/builder.rs -> b.rs -> a.rs"]
        );
    }

    #[test]
    fn the_core_imports_downwards_alone() {
        let files = [
            ("lib.rs", "mod id; mod event; mod clock; mod stream;"),
            ("id.rs", "use crate::throttle::Throttle;"),
            ("throttle.rs", ""),
            ("id/names.rs", "use crate::event::Frame;"),
            ("event.rs", "use crate::id::ClientId;"),
            ("clock.rs", "fn f() { crate::stream::f() }"),
            (
                "stream.rs",
                "use crate::{event::Frame, clock}; #[cfg(test)] use crate::manager::Manager;",
            ),
            ("manager.rs", "use crate::stream::Stream;"),
            ("fuzzing.rs", "use crate::manager::Manager;"),
        ];
        assert_eq!(
            violations("sse-core", &files),
            [
                "crates/sse-core/src: clock.rs -> stream.rs -> clock.rs",
                "crates/sse-core/src: clock.rs imports from stream.rs, whose folder is not below its own",
                "crates/sse-core/src: id/names.rs imports from event.rs, whose folder is not below its own",
            ]
        );
        assert_eq!(
            violations("sse-hub", &files),
            ["crates/sse-hub/src: clock.rs -> stream.rs -> clock.rs"]
        );
    }

    #[test]
    fn programs_in_folders_are_crates_of_their_own() {
        let source = Path::new("benches/src");
        let files = [
            "a.rs",
            "b/c.rs",
            "bin/load/d.rs",
            "bin/load/main.rs",
            "bin/nats.rs",
            "lib.rs",
        ];
        let files: Vec<_> = files.iter().map(|file| source.join(file)).collect();
        let found = crates(&files, source);
        let found: Vec<_> = found
            .iter()
            .map(|(folder, files)| {
                let files: Vec<_> = files.iter().map(|file| shown(file, folder)).collect();
                format!(
                    "{}: {}",
                    shown(folder, Path::new("benches")),
                    files.join(" ")
                )
            })
            .collect();
        assert_eq!(
            found,
            ["src: a.rs b/c.rs lib.rs", "src/bin/load: d.rs main.rs"]
        );
    }

    #[test]
    fn every_crate_of_the_workspace_is_read() {
        let all = workspace().unwrap();
        let has = |folder: &str, file: &str| {
            let sources = all.iter().find(|sources| sources.folder == folder);
            sources.is_some_and(|sources| sources.files.iter().any(|(name, _)| name == file))
        };
        assert!(has("crates/sse-core/src", "id.rs") && has("crates/xtask/src", "circles/order.rs"));
        assert!(has("benches/src", "lib.rs") && has("benches/src/bin/load", "main.rs"));
    }
}
