//! `cargo xtask fuzz`: fuzzes the targets of `sse-fuzz` with cargo-fuzz, and the browser's parser
//! under Node.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::{metadata, output, run as run_command};
use crate::error::Error;
use crate::js;

const USAGE: &str = "usage: cargo xtask fuzz [--minutes N] [TARGET…]

Fuzzes the targets one after the other, N minutes in all (default 10), and fails
if there is a finding. Needs a nightly toolchain; installs cargo-fuzz from
crates.io if it is missing.

New inputs are kept in target/fuzz/corpus, findings in target/fuzz/findings.
An input for crates/sse-fuzz/corpus (of the parser:
crates/sse-browser/js/fuzz/corpus) is replayed by `cargo xtask test` from then on.
";

/// The target in JavaScript.
const PARSER: &str = "browser-parser";

/// Minimum time of a target, in seconds.
const SHORTEST: u64 = 5;

/// Limits of one input: seconds, megabytes in one allocation, and megabytes in all.
const LIMITS: [&str; 3] = ["-timeout=20", "-malloc_limit_mb=64", "-rss_limit_mb=2048"];

/// Maximum length of an input, in bytes.
const MAX_LEN: &str = "-max_len=4096";

/// Arguments of the command.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    minutes: u64,
    targets: Vec<String>,
}

/// The outcome of a target.
#[derive(Debug, PartialEq, Eq)]
struct FuzzOutcome {
    target: String,
    executions: Option<u64>,
    is_sound: bool,
}

/// The folders of the command.
struct Folders {
    /// The crate with the executables.
    executables: PathBuf,
    /// The committed corpus.
    corpus: PathBuf,
    /// The npm package with the parser.
    browser: PathBuf,
    /// Output of fuzzing: builds, kept inputs and findings.
    target: PathBuf,
}

/// Runs the command with its arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let folders = Folders::find()?;
    let known = folders.targets()?;
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{USAGE}\nTargets: {}", known.join(", "));
        return Ok(());
    }
    let Arguments { minutes, targets } = parse(arguments, &known)?;
    let seconds = seconds_each(minutes, targets.len());
    if targets.iter().any(|target| target != PARSER) {
        prepare(&folders)?;
    }
    let outcomes = targets.iter().map(|target| folders.fuzz(target, seconds));
    let outcomes = outcomes.collect::<Result<Vec<_>, _>>()?;
    print!("{}", summary(&outcomes));
    let found: Vec<_> = outcomes
        .iter()
        .filter(|it| !it.is_sound)
        .map(|it| it.target.as_str())
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let folder = folders.target.join("findings");
    Err(Error::new(format!(
        "findings in {}: see {}",
        found.join(", "),
        folder.display()
    )))
}

fn parse(arguments: &[String], known: &[String]) -> Result<Arguments, Error> {
    let mut parsed = Arguments {
        minutes: 10,
        targets: Vec::new(),
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--minutes" {
            let minutes = arguments.next().and_then(|minutes| minutes.parse().ok());
            parsed.minutes = minutes.ok_or_else(|| Error::new("--minutes needs a whole number"))?;
        } else if known.contains(argument) {
            parsed.targets.push(argument.clone());
        } else {
            return Err(Error::new(format!(
                "no target `{argument}`\n\n{USAGE}\nTargets: {}",
                known.join(", ")
            )));
        }
    }
    if parsed.targets.is_empty() {
        parsed.targets = known.to_vec();
    }
    Ok(parsed)
}

fn seconds_each(minutes: u64, targets: usize) -> u64 {
    let targets = u64::try_from(targets).unwrap_or(u64::MAX).max(1);
    (minutes.saturating_mul(60) / targets).max(SHORTEST)
}

/// Installs cargo-fuzz if it is missing, and builds the executables.
fn prepare(folders: &Folders) -> Result<(), Error> {
    let has = |arguments: &[&str]| output(Command::new("cargo").args(arguments)).is_ok();
    if !has(&["+nightly", "--version"]) {
        return Err(Error::new(
            "fuzzing needs a nightly toolchain: `rustup toolchain install nightly`",
        ));
    }
    if !has(&["+nightly", "fuzz", "--version"]) {
        run_command(Command::new("cargo").args(["install", "--locked", "cargo-fuzz"]))?;
    }
    run_command(&mut folders.cargo_fuzz("build"))
}

impl Folders {
    fn find() -> Result<Self, Error> {
        let metadata = metadata()?;
        let (root, target) = (metadata.workspace_root, metadata.target_directory);
        let (root, target) = (root.as_std_path(), target.as_std_path());
        Ok(Self {
            executables: root.join("crates/sse-fuzz/fuzz"),
            corpus: root.join("crates/sse-fuzz/corpus"),
            browser: root.join("crates/sse-browser/js"),
            target: target.join("fuzz"),
        })
    }

    /// Returns the names of all targets, in order.
    fn targets(&self) -> Result<Vec<String>, Error> {
        let folder = self.executables.join("fuzz_targets");
        let failed = |error| Error::new(format!("failed to list {}: {error}", folder.display()));
        let mut targets = vec![PARSER.to_owned()];
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            targets.extend(
                path.file_stem()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
        targets.sort_unstable();
        Ok(targets)
    }

    /// Returns `cargo fuzz COMMAND` on the executables, without a sanitizer: the workspace has no
    /// unsafe code.
    fn cargo_fuzz(&self, command: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .args([
                "+nightly",
                "fuzz",
                command,
                "--sanitizer",
                "none",
                "--fuzz-dir",
            ])
            .arg(&self.executables);
        cargo
            .arg("--target-dir")
            .arg(self.target.join("build"))
            .env_remove("CARGO_TARGET_DIR");
        cargo
    }

    fn fuzz(&self, target: &str, seconds: u64) -> Result<FuzzOutcome, Error> {
        let kept = self.folder("corpus", target)?;
        let findings = self.folder("findings", target)?;
        let command = if target == PARSER {
            self.parser(seconds, &kept, &findings)?
        } else {
            let mut command = self.cargo_fuzz("run");
            command
                .arg(target)
                .arg(&kept)
                .arg(self.corpus.join(target))
                .arg("--");
            command.args(LIMITS).args([MAX_LEN, "-print_final_stats=1"]);
            command.arg(format!("-max_total_time={seconds}"));
            command.arg(format!("-artifact_prefix={}/", findings.display()));
            command
        };
        println!("== {target}, {seconds} s");
        let (executions, is_sound) = watch(command)?;
        Ok(FuzzOutcome {
            target: target.to_owned(),
            executions,
            is_sound,
        })
    }

    fn parser(&self, seconds: u64, kept: &Path, findings: &Path) -> Result<Command, Error> {
        js::install(&self.browser)?;
        let mut node = Command::new("node");
        node.current_dir(&self.browser)
            .args(["fuzz/parser.mjs", "--seconds"])
            .arg(seconds.to_string());
        node.arg("--kept").arg(kept).arg("--findings").arg(findings);
        Ok(node)
    }

    fn folder(&self, kind: &str, target: &str) -> Result<PathBuf, Error> {
        let folder = self.target.join(kind).join(target);
        fs::create_dir_all(&folder).map_err(|error| {
            Error::new(format!("failed to create {}: {error}", folder.display()))
        })?;
        Ok(folder)
    }
}

/// Runs a fuzzer and shows its output except for its progress. Returns the number of executions,
/// and `true` if the fuzzer ended successfully.
fn watch(mut command: Command) -> Result<(Option<u64>, bool), Error> {
    let failed = |error| Error::new(format!("failed to run a fuzzer: {error}"));
    let mut fuzzer = command.stderr(Stdio::piped()).spawn().map_err(failed)?;
    let mut executions = None;
    for line in fuzzer
        .stderr
        .take()
        .into_iter()
        .flat_map(|stderr| BufReader::new(stderr).split(b'\n'))
    {
        let line = line.map_err(failed)?;
        let line = String::from_utf8_lossy(&line);
        executions = executions_of(&line).or(executions);
        if !is_progress(&line) {
            eprintln!("{line}");
        }
    }
    Ok((executions, fuzzer.wait().map_err(failed)?.success()))
}

/// Returns the number in libFuzzer's final statistics.
fn executions_of(line: &str) -> Option<u64> {
    line.strip_prefix("stat::number_of_executed_units:")?
        .trim()
        .parse()
        .ok()
}

/// Returns `true` if a line is one of the many that libFuzzer writes as long as it finds nothing.
fn is_progress(line: &str) -> bool {
    line.starts_with('#') && line.contains("cov:")
        || line.starts_with("stat::")
        || line.starts_with("INFO:")
}

fn summary(outcomes: &[FuzzOutcome]) -> String {
    let mut text = String::from("\n");
    for FuzzOutcome {
        target,
        executions,
        is_sound,
    } in outcomes
    {
        let executions =
            executions.map_or_else(|| "?".to_owned(), |executions| executions.to_string());
        let end = if *is_sound { "" } else { "  FINDING" };
        text.push_str(&format!("{target:<16}{executions:>12} executions{end}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn arguments_choose_targets_and_time() {
        let known = words(&["encode", "trpc"]);
        let parsed = |arguments: &[&str]| parse(&words(arguments), &known).unwrap();
        assert_eq!(
            parsed(&[]),
            Arguments {
                minutes: 10,
                targets: known.clone()
            }
        );
        assert_eq!(
            parsed(&["trpc", "--minutes", "3"]),
            Arguments {
                minutes: 3,
                targets: words(&["trpc"])
            }
        );
        for wrong in [
            &["tprc"][..],
            &["--minutes"],
            &["--minutes", "x"],
            &["--minutes", "-1"],
            &["--seed"],
        ] {
            let error = parse(&words(wrong), &known).unwrap_err().to_string();
            assert!(
                error.contains("trpc") || error.contains("whole number"),
                "{error}"
            );
        }
    }

    #[test]
    fn targets_share_the_time() {
        assert_eq!(seconds_each(10, 12), 50);
        assert_eq!(seconds_each(0, 12), SHORTEST);
        assert_eq!(seconds_each(1, 0), 60);
    }

    #[test]
    fn executions_are_read_and_progress_is_not_shown() {
        assert_eq!(
            executions_of("stat::number_of_executed_units: 1048576"),
            Some(1_048_576)
        );
        assert_eq!(executions_of("stat::average_exec_per_sec:     3"), None);
        assert!(is_progress(
            "#2048\tpulse  cov: 12 ft: 13 corp: 5/9b exec/s: 1024 rss: 40Mb"
        ));
        assert!(!is_progress("thread '<unnamed>' panicked at src/x.rs:1:1:"));
    }

    #[test]
    fn the_summary_shows_findings() {
        let outcome = |target: &str, executions, is_sound| FuzzOutcome {
            target: target.into(),
            executions,
            is_sound,
        };
        let text = summary(&[
            outcome("encode", Some(7), true),
            outcome("trpc", None, false),
        ]);
        assert_eq!(
            text,
            "\nencode                     7 executions\ntrpc                       ? executions  FINDING\n"
        );
    }

    #[test]
    fn the_targets_of_the_repository_are_found() {
        let targets = Folders::find().unwrap().targets().unwrap();
        for target in ["browser-parser", "encode", "hub", "segments", "trpc"] {
            assert!(
                targets.iter().any(|known| known == target),
                "{target} of {targets:?}"
            );
        }
    }
}
