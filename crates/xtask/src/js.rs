//! JavaScript: types, and real npm packages against the programs of this workspace.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{cargo, metadata, run};
use crate::error::Error;

/// A package with `check` and `test` scripts, and its nested packages that are installed separately
/// because they need other versions.
struct JsPackage {
    path: &'static str,
    inner: &'static [&'static str],
    program: Program,
}

/// A program that the tests of a package connect to.
struct Program {
    /// Environment variable with the path of the program.
    variable: &'static str,
    build: &'static [&'static str],
    /// Path inside the folder of the build output.
    path: &'static str,
}

const HUB: Program = Program {
    variable: "SSE_HUB",
    build: &["-p", "sse-hub"],
    path: "debug/sse-hub",
};

const VERIFY: Program = Program {
    variable: "SSE_AUTH_VERIFY",
    build: &[
        "-p",
        "sse-auth",
        "--example",
        "verify",
        "--features",
        "jwks-http",
    ],
    path: "debug/examples/verify",
};

const PACKAGES: &[JsPackage] = &[
    JsPackage {
        path: "crates/sse-auth/js",
        inner: &[],
        program: VERIFY,
    },
    JsPackage {
        path: "crates/sse-trpc/js",
        inner: &["v10", "react"],
        program: HUB,
    },
    JsPackage {
        path: "crates/sse-hub/js",
        inner: &[],
        program: HUB,
    },
    JsPackage {
        path: "crates/sse-browser/js",
        inner: &["react18"],
        program: HUB,
    },
    // Links the previous package, and its types.
    JsPackage {
        path: "examples/react",
        inner: &[],
        program: HUB,
    },
];

/// Packages against which benchmarks measure. The benchmark installs them itself.
#[cfg(test)]
const PEERS: &[&str] = &["benches/peers/better-sse"];

/// Installs packages according to the lock files, checks types, and runs the tests.
pub(crate) fn check() -> Result<(), Error> {
    let metadata = metadata()?;
    let (root, target) = (metadata.workspace_root, metadata.target_directory);
    PACKAGES
        .iter()
        .try_for_each(|package| package.check(root.as_std_path(), target.as_std_path()))
}

impl JsPackage {
    fn check(&self, root: &Path, target: &Path) -> Result<(), Error> {
        let Program {
            variable,
            build,
            path,
        } = self.program;
        run(cargo(&["build"]).args(build))?;
        for folder in self.folders(root) {
            run(&mut npm(&folder, &["ci", "--no-audit", "--no-fund"]))?;
        }
        let folder = root.join(self.path);
        run(&mut npm(&folder, &["run", "check"]))?;
        run(npm(&folder, &["test"]).env(variable, target.join(format!("{path}{EXE_SUFFIX}"))))
    }

    fn folders(&self, root: &Path) -> Vec<PathBuf> {
        let folder = root.join(self.path);
        let inner = self.inner.iter().map(|name| folder.join(name));
        std::iter::once(folder.clone()).chain(inner).collect()
    }
}

/// Installs a package according to its lock file, unless that was done.
pub(crate) fn install(folder: &Path) -> Result<(), Error> {
    if folder.join("node_modules").is_dir() {
        return Ok(());
    }
    run(&mut npm(folder, &["ci", "--no-audit", "--no-fund"]))
}

fn npm(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(folder);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package that is missing from the list would never be tested.
    #[test]
    fn every_package_is_listed_and_locked() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut listed: Vec<_> = PACKAGES
            .iter()
            .flat_map(|package| package.folders(&root))
            .collect();
        listed.extend(PEERS.iter().map(|path| root.join(path)));
        let mut found = Vec::new();
        search(&root, &mut found);
        listed.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, listed);
        for folder in listed {
            assert!(
                folder.join("package-lock.json").exists(),
                "{} is not locked",
                folder.display()
            );
        }
    }

    fn search(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if entry.file_type().unwrap().is_dir() {
                if !["node_modules", "target", ".git"]
                    .iter()
                    .any(|skipped| name == *skipped)
                {
                    search(&entry.path(), found);
                }
            } else if name == "package.json" {
                found.push(folder.to_owned());
            }
        }
    }
}
