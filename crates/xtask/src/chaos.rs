//! The step that builds and runs `sse-chaos` and its hub.

use std::env::consts::EXE_SUFFIX;

use crate::cargo::{cargo, metadata, run as run_command};
use crate::error::Error;

/// Runs the short form, with the hub as the other tests build it.
pub(crate) fn short() -> Result<(), Error> {
    run(&["--short".to_owned()])
}

/// Builds and runs `sse-chaos` with these arguments. The programs are optimised unless the
/// arguments contain `--short`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let target = metadata()?.target_directory.into_std_path_buf();
    let (profile, flags) = profile(arguments);
    // One by one, so that the hub is built with the same features as elsewhere.
    for package in ["sse-hub", "sse-chaos"] {
        run_command(cargo(&["build", "-p", package]).args(flags))?;
    }
    let program = |name: &str| target.join(profile).join(format!("{name}{EXE_SUFFIX}"));
    let mut command = std::process::Command::new(program("sse-chaos"));
    run_command(command.arg("--hub").arg(program("sse-hub")).args(arguments))
}

/// Returns the folder of the build's output, and the arguments of cargo.
fn profile(arguments: &[String]) -> (&'static str, &'static [&'static str]) {
    if arguments.iter().any(|argument| argument == "--short") {
        ("debug", &[])
    } else {
        ("release", &["--release"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_long_form_is_worth_an_optimised_build() {
        assert_eq!(profile(&["--seed".to_owned(), "1".to_owned()]).0, "release");
        assert_eq!(
            profile(&[
                "--broker".to_owned(),
                "nats".to_owned(),
                "--short".to_owned()
            ])
            .0,
            "debug"
        );
    }
}
