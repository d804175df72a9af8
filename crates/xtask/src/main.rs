//! Everything that CI runs: `cargo xtask test` runs every step, `cargo xtask STEP` one of them.

mod advisories;
mod cargo;
mod chaos;
mod circles;
mod date;
mod error;
mod files;
mod floors;
mod fuzz;
mod graph;
mod install;
mod js;
mod language;
mod loom;
mod names;
mod steps;

use std::env;
use std::process::ExitCode;

use crate::error::Error;
use crate::steps::{STEPS, Step};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [command, rest @ ..] if command == "chaos" => chaos::run(rest),
        [command, rest @ ..] if command == "advisories" => advisories::run(rest),
        [command, rest @ ..] if command == "fuzz" => fuzz::run(rest),
        [command] => chosen(command).and_then(|steps| steps::run(&steps)),
        _ => Err(usage("expected one command")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the steps of a command.
fn chosen(command: &str) -> Result<Vec<&'static Step>, Error> {
    if command == "test" {
        return Ok(STEPS.iter().collect());
    }
    let step = STEPS.iter().find(|step| step.name == command);
    step.map(|step| vec![step])
        .ok_or_else(|| usage(&format!("no command `{command}`")))
}

fn usage(problem: &str) -> Error {
    let mut text = format!(
        "{problem}\n\nusage: cargo xtask COMMAND\n\n  test         every step below, in order\n"
    );
    for step in STEPS {
        text.push_str(&format!("  {:<12} {}\n", step.name, step.about));
    }
    text.push_str(
        "\n  advisories … refresh the advisories of that step: see `cargo xtask advisories --help`\n  \
         chaos …      the long form of that step, or what its arguments say: see `cargo xtask chaos --help`\n  \
         fuzz …       search for inputs that break a property, for minutes: see `cargo xtask fuzz --help`\n",
    );
    Error::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_stands_for_every_step_in_order() {
        let names: Vec<_> = chosen("test")
            .unwrap()
            .iter()
            .map(|step| step.name)
            .collect();
        let expected = [
            "install",
            "fmt",
            "clippy",
            "floors",
            "circles",
            "names",
            "language",
            "advisories",
            "cargo-test",
            "chaos",
            "js",
            "doc",
            "loom",
            "bench-once",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_step_can_be_chosen_alone() {
        let steps = chosen("floors").unwrap();
        assert_eq!(
            steps.iter().map(|step| step.name).collect::<Vec<_>>(),
            ["floors"]
        );
    }

    #[test]
    fn an_unknown_command_is_answered_with_the_usage() {
        let error = chosen("tset").err().unwrap().to_string();
        assert!(error.contains("no command `tset`"), "{error}");
        for command in ["bench-once", "advisories", "chaos …", "fuzz …"] {
            assert!(error.contains(command), "{error}");
        }
    }
}
