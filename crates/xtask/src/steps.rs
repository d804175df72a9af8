//! The steps of CI, run in order, up to the first failure, each timed.

use std::time::{Duration, Instant};

use crate::cargo::{added_flags, cargo, run as run_command};
use crate::error::Error;
use crate::{advisories, chaos, circles, floors, install, js, language, loom, names};

/// One step.
pub(crate) struct Step {
    /// Name of the step and of its sub-command.
    pub(crate) name: &'static str,
    /// One line of help.
    pub(crate) about: &'static str,
    run: fn() -> Result<(), Error>,
}

/// All steps, in the order of CI: steps that fail fast come first.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "install",
        about: "install missing tools (as root on Debian)",
        run: install::install,
    },
    Step {
        name: "fmt",
        about: "check the formatting",
        run: fmt,
    },
    Step {
        name: "clippy",
        about: "lint every target with every feature",
        run: clippy,
    },
    Step {
        name: "floors",
        about: "check which crate uses which",
        run: floors::check,
    },
    Step {
        name: "circles",
        about: "check that no files import from each other",
        run: circles::check,
    },
    Step {
        name: "names",
        about: "check that no type name stands for two things",
        run: names::check,
    },
    Step {
        name: "language",
        about: "check the language of documentation and messages",
        run: language::check,
    },
    Step {
        name: "advisories",
        about: "check Cargo.lock for known vulnerabilities",
        run: advisories::check,
    },
    Step {
        name: "cargo-test",
        about: "unit, integration and documentation tests, and examples",
        run: cargo_test,
    },
    Step {
        name: "chaos",
        about: "kill hubs and brokers, briefly, and check that nothing is lost",
        run: chaos::short,
    },
    Step {
        name: "js",
        about: "types, and npm clients against a hub, some in a browser",
        run: js::check,
    },
    Step {
        name: "doc",
        about: "build the documentation, warnings are errors",
        run: doc,
    },
    Step {
        name: "loom",
        about: "run the loom models of sse-core",
        run: loom::check,
    },
    Step {
        name: "bench-once",
        about: "run every bench once",
        run: bench_once,
    },
];

/// Runs the steps and prints how long each took; the first failure ends the run.
pub(crate) fn run(steps: &[&Step]) -> Result<(), Error> {
    let mut times = Vec::new();
    let result = steps.iter().try_for_each(|step| timed(step, &mut times));
    print!("{}", summary(&times, result.is_ok()));
    result
}

fn timed(step: &Step, times: &mut Vec<(&'static str, Duration)>) -> Result<(), Error> {
    println!("== {}", step.name);
    let start = Instant::now();
    let result = (step.run)();
    times.push((step.name, start.elapsed()));
    result.map_err(|error| Error::new(format!("step `{}` failed: {error}", step.name)))
}

fn summary(times: &[(&str, Duration)], succeeded: bool) -> String {
    let mut text = String::from("\n");
    for (index, (name, time)) in times.iter().enumerate() {
        let failed = !succeeded && index + 1 == times.len();
        let end = if failed { "  FAILED" } else { "" };
        text.push_str(&format!("{name:<12}{:>8.1} s{end}\n", time.as_secs_f64()));
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    text.push_str(&format!("{:<12}{:>8.1} s\n", "total", total.as_secs_f64()));
    text
}

fn fmt() -> Result<(), Error> {
    run_command(&mut cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Result<(), Error> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ];
    run_command(&mut cargo(&arguments))
}

/// Without `--all-targets`, which would omit the documentation tests and include the benches.
fn cargo_test() -> Result<(), Error> {
    run_command(cargo(&["test", "--workspace", "--all-features"]).env("SSE_TEST_SERVICES", "1"))
}

fn doc() -> Result<(), Error> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
    run_command(command.env("RUSTDOCFLAGS", added_flags("RUSTDOCFLAGS", "-D warnings")))
}

fn bench_once() -> Result<(), Error> {
    run_command(&mut cargo(&[
        "bench",
        "-p",
        "benches",
        "--benches",
        "--",
        "--test",
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Step = Step {
        name: "good",
        about: "",
        run: || Ok(()),
    };
    const BAD: Step = Step {
        name: "bad",
        about: "",
        run: || Err(Error::new("it rained")),
    };
    const NEVER: Step = Step {
        name: "never",
        about: "",
        run: || panic!("a step after a failure was run"),
    };

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let error = run(&[&GOOD, &BAD, &NEVER]).unwrap_err().to_string();
        assert_eq!(error, "step `bad` failed: it rained");
        run(&[&GOOD, &GOOD]).unwrap();
    }

    #[test]
    fn the_summary_shows_each_step_and_which_one_failed() {
        let times = [
            ("fmt", Duration::from_millis(1_240)),
            ("clippy", Duration::from_secs(60)),
        ];
        let text = summary(&times, false);
        assert_eq!(
            text,
            "\nfmt              1.2 s\nclippy          60.0 s  FAILED\ntotal           61.2 s\n"
        );
        assert!(!summary(&times, true).contains("FAILED"));
    }
}
