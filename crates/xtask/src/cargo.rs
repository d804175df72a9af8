//! Processes of cargo and other programs, started without a shell.

use std::env;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};

use crate::error::Error;

/// Returns a cargo command with the cargo that started this program, so that a `+toolchain` holds
/// for every step.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Runs a command with this terminal; an unsuccessful exit is an error.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let shown = shown(command);
    println!("$ {shown}");
    let status = command
        .status()
        .map_err(|error| Error::new(format!("failed to start `{shown}`: {error}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::new(format!("`{shown}` failed: {status}")))
    }
}

/// Runs a command and returns its output; its error output goes to this terminal.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let shown = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::new(format!("failed to start `{shown}`: {error}")))?;
    if !output.status.success() {
        return Err(Error::new(format!("`{shown}` failed: {}", output.status)));
    }
    String::from_utf8(output.stdout)
        .map_err(|error| Error::new(format!("`{shown}` printed non-UTF-8: {error}")))
}

/// Returns cargo's metadata of the workspace, every feature and platform included.
pub(crate) fn metadata() -> Result<Metadata, Error> {
    read(MetadataCommand::new().features(CargoOpt::AllFeatures))
}

/// Returns cargo's metadata of the workspace without optional features.
pub(crate) fn default_metadata() -> Result<Metadata, Error> {
    read(&mut MetadataCommand::new())
}

fn read(command: &mut MetadataCommand) -> Result<Metadata, Error> {
    let read = command.exec();
    read.map_err(|error| Error::new(format!("failed to read cargo metadata: {error}")))
}

/// Returns the flags in the environment variable `name`, if any, followed by `flags`.
pub(crate) fn added_flags(name: &str, flags: &str) -> OsString {
    let mut all = env::var_os(name).unwrap_or_default();
    if !all.is_empty() {
        all.push(" ");
    }
    all.push(flags);
    all
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut text = program
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = run(&mut cargo(&["no-such-subcommand"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("cargo no-such-subcommand` failed"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_cannot_be_started_is_an_error() {
        let error = output(&mut Command::new("./no-such-program"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("failed to start `no-such-program`"),
            "{error}"
        );
    }

    #[test]
    fn flags_of_the_caller_stay() {
        assert_eq!(
            added_flags("XTASK_TEST_NOT_SET", "--cfg loom"),
            "--cfg loom"
        );
        let path = env::var("PATH").unwrap();
        assert_eq!(
            added_flags("PATH", "-D x"),
            OsString::from(format!("{path} -D x"))
        );
    }
}
