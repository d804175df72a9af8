//! The loom models of the core: every interleaving of its lock-free parts.

use std::path::Path;
use std::process::Command;

use crate::cargo::{added_flags, cargo, metadata, output, run};
use crate::error::Error;
use crate::graph::Graph;

/// Runs the models, in a separate target directory since `--cfg loom` rebuilds every crate.
pub(crate) fn check() -> Result<(), Error> {
    let metadata = metadata()?;
    if !Graph::of(&metadata).member_uses("sse-core", "loom") {
        println!("loom: sse-core does not use loom, so there is no model to run");
        return Ok(());
    }
    let target = metadata.target_directory.as_std_path().join("loom");
    let list = output(models(&target).args(["--", "--list"]))?;
    if count(&list) == 0 {
        // A filter without a match succeeds, and would hide that the models were renamed.
        return Err(Error::new(
            "sse-core uses loom, but none of its unit tests has `loom` in its path",
        ));
    }
    run(&mut models(&target))
}

fn models(target: &Path) -> Command {
    let mut command = cargo(&["test", "-p", "sse-core", "--release", "--lib"]);
    command
        .arg("--target-dir")
        .arg(target)
        .arg("loom")
        .env("RUSTFLAGS", added_flags("RUSTFLAGS", "--cfg loom"));
    command
}

fn count(list: &str) -> usize {
    list.lines().filter(|line| line.ends_with(": test")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_models_are_counted() {
        assert_eq!(
            count(
                "queue::loom::push_races_poll: test\nloom::join: test\n\n2 tests, 0 benchmarks\n"
            ),
            2
        );
        assert_eq!(count("0 tests, 0 benchmarks\n"), 0);
    }

    #[test]
    fn the_cfg_and_the_directory_are_passed_on() {
        let command = models(Path::new("target/loom"));
        let arguments: Vec<_> = command
            .get_args()
            .map(|argument| argument.to_string_lossy())
            .collect();
        assert_eq!(
            arguments.join(" "),
            "test -p sse-core --release --lib --target-dir target/loom loom"
        );
        let flags = command
            .get_envs()
            .find(|(name, _)| *name == "RUSTFLAGS")
            .and_then(|(_, value)| value)
            .unwrap();
        assert!(flags.to_string_lossy().ends_with("--cfg loom"));
    }
}
