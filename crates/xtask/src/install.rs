//! Installation of the tools that the tests need in addition to Rust.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cargo::{output, run};
use crate::error::Error;

/// An executable that tests start, and the Debian package that contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tool {
    executable: &'static str,
    package: &'static str,
}

/// Tools that the tests start. The executable is searched for in `PATH`.
const TOOLS: &[Tool] = &[
    Tool {
        executable: "chromium",
        package: "chromium",
    },
    Tool {
        executable: "curl",
        package: "curl",
    },
    Tool {
        executable: "faketime",
        package: "faketime",
    },
    Tool {
        executable: "firefox-esr",
        package: "firefox-esr",
    },
    Tool {
        executable: "go",
        package: "golang-go",
    },
    Tool {
        executable: "nats-server",
        package: "nats-server",
    },
    Tool {
        executable: "node",
        package: "nodejs",
    },
    Tool {
        executable: "npm",
        package: "npm",
    },
    Tool {
        executable: "php",
        package: "php-cli",
    },
    Tool {
        executable: "prometheus",
        package: "prometheus",
    },
    Tool {
        executable: "promtool",
        package: "prometheus",
    },
    Tool {
        executable: "python3",
        package: "python3",
    },
    Tool {
        executable: "redis-benchmark",
        package: "redis-tools",
    },
    Tool {
        executable: "redis-server",
        package: "redis-server",
    },
];

/// Installs the missing tools if this program may do so: as root on Debian, as in CI's container.
pub(crate) fn install() -> Result<(), Error> {
    let needed = missing(TOOLS, &search_path());
    if needed.is_empty() {
        println!("install: nothing is missing");
        return Ok(());
    }
    may_install().map_err(|reason| refusal(&needed, &reason))?;
    run(apt_get().arg("update"))?;
    run(apt_get()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages(&needed)))?;
    let still = missing(&needed, &search_path());
    if still.is_empty() {
        Ok(())
    } else {
        Err(refusal(
            &still,
            "apt-get succeeded, but they are not in PATH",
        ))
    }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn packages(tools: &[Tool]) -> Vec<&'static str> {
    let mut packages: Vec<_> = tools.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Returns `Ok` if this program may install packages; else the reason why not.
fn may_install() -> Result<(), String> {
    if !Path::new("/etc/debian_version").exists() {
        return Err("this is not a Debian machine".to_owned());
    }
    let user = output(Command::new("id").arg("-u")).map_err(|error| error.to_string())?;
    if user.trim() == "0" {
        Ok(())
    } else {
        Err("only root can install packages".to_owned())
    }
}

fn refusal(tools: &[Tool], reason: &str) -> Error {
    let names: Vec<_> = tools.iter().map(|tool| tool.executable).collect();
    Error::new(format!(
        "missing executables: {}; {reason}. Install them (Debian packages: {}) and try again",
        names.join(", "),
        packages(tools).join(" "),
    ))
}

fn search_path() -> std::ffi::OsString {
    env::var_os("PATH").unwrap_or_default()
}

fn missing(tools: &[Tool], path: &OsStr) -> Vec<Tool> {
    tools
        .iter()
        .copied()
        .filter(|tool| !is_found(tool.executable, path))
        .collect()
}

fn is_found(executable: &str, path: &OsStr) -> bool {
    env::split_paths(path).any(|directory| is_executable(&directory.join(executable)))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    fs::metadata(file.with_extension(env::consts::EXE_EXTENSION))
        .is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARGO: Tool = Tool {
        executable: "cargo",
        package: "cargo",
    };
    const SERVER: Tool = Tool {
        executable: "no-such-server",
        package: "no-such",
    };
    const CLIENT: Tool = Tool {
        executable: "no-such-client",
        package: "no-such",
    };

    #[test]
    fn only_tools_outside_the_path_are_missing() {
        let cargo = env::var_os("CARGO").unwrap();
        let path = Path::new(&cargo).parent().unwrap().as_os_str().to_owned();
        assert_eq!(missing(&[CARGO, SERVER], &path), [SERVER]);
        assert_eq!(
            missing(&[CARGO, SERVER], OsStr::new("/no/such/folder")),
            [CARGO, SERVER]
        );
    }

    #[test]
    fn a_file_that_cannot_be_run_is_not_a_tool() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(!is_found("Cargo.toml", sources.as_os_str()), "a plain file");
        assert!(!is_found("src", sources.as_os_str()), "a folder");
    }

    #[test]
    fn a_package_is_asked_for_once() {
        assert_eq!(packages(&[SERVER, CARGO, CLIENT]), ["cargo", "no-such"]);
    }

    #[test]
    fn refusal_names_executables_packages_and_reason() {
        let text = refusal(&[SERVER, CLIENT], "only root can install packages").to_string();
        assert_eq!(
            text,
            "missing executables: no-such-server, no-such-client; only root can install packages. \
             Install them (Debian packages: no-such) and try again"
        );
    }
}
