//! Errors that stop the start or end the hub.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    path::PathBuf,
};

use thiserror::Error;

use crate::server::logs::Outputs;

/// An error that stops the start or ends the hub.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The command line is wrong, or asks for help.
    #[error("{}{}", .error.to_string().trim_end(), .hint.as_ref().map(|name| format!("\n\nThe value comes from the variable {name}.")).unwrap_or_default())]
    CommandLine {
        error: clap::Error,
        hint: Option<String>,
    },
    /// A variable has the prefix of settings, but is not a setting.
    #[error("{0} is not a setting of this hub; --help lists all settings")]
    UnknownVariable(String),
    /// A setting has an invalid value.
    #[error("{name} {problem}")]
    Setting { name: String, problem: String },
    /// Several settings have invalid values.
    #[error("{}", .0.join("\n"))]
    Streams(Vec<String>),
    /// The event log failed to open.
    #[error("{name}: {problem}")]
    Log { name: String, problem: String },
    /// The settings file is unreadable.
    #[error("cannot read the settings file {}: {source}", .path.display())]
    UnreadableFile { path: PathBuf, source: io::Error },
    /// The settings file is invalid.
    #[error("{}: {}", .path.display(), without_passwords(.error.to_string().trim_end()))]
    WrongFile {
        path: PathBuf,
        error: Box<toml::de::Error>,
    },
    /// Other machines could reach demo mode.
    #[error(
        "demo mode cannot listen on {0}, which other machines can reach, since everybody may do \
         everything; listen on a loopback address, or set --demo to allow it"
    )]
    DemoForAll(SocketAddr),
    /// The process cannot open enough files for the streams.
    #[error("{name}: {problem}")]
    Files { name: String, problem: String },
    /// The hub cannot listen on the address.
    #[error("cannot listen on {address}: {source}{}", hint(.source))]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    /// An operation that the operating system rejected.
    #[error("{what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
}

impl Error {
    /// Returns 2 for a rejected configuration, 1 for a failure at run time, and 0 for help that was
    /// requested.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::CommandLine { error, .. } => u8::try_from(error.exit_code()).unwrap_or(2),
            Self::Listen { .. } | Self::Log { .. } | Self::System { .. } => 1,
            _ => 2,
        }
    }

    /// Prints the error: help goes to standard output, everything else to standard error.
    pub(crate) fn report(&self, outputs: &Outputs) {
        let text = match self {
            // Like any program, the hub waits for the reader of its help.
            Self::CommandLine { error, hint: None } if !error.use_stderr() => {
                // A message about a failed write would fail as well.
                let _ = error.print();
                return;
            }
            Self::CommandLine { error, hint: None } => error.to_string(),
            Self::CommandLine { .. } => format!("{self}\n"),
            _ => format!("error: {self}\n"),
        };
        outputs.err.send(text.as_bytes());
    }
}

/// Hides credentials. Errors of a file quote its lines, and URLs in them can have users and
/// passwords.
fn without_passwords(text: &str) -> String {
    let lines = text
        .split('\n')
        .map(|line| match (line.find("://"), line.rfind('@')) {
            (Some(start), Some(end)) if start + 3 < end => {
                format!("{}…{}", &line[..start + 3], &line[end..])
            }
            _ => line.to_owned(),
        });
    // The password of sentinels is at the end of a URL, and is hidden together with the rest of the
    // line.
    let lines = lines.map(|line| match line.find("sentinel_password=") {
        Some(start) => format!("{}sentinel_password=…", &line[..start]),
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::AddrInUse => {
            "\nIs another hub running? Choose another port with --listen, as --listen 127.0.0.1:8081; \
             port 0 selects a free port."
        }
        ErrorKind::PermissionDenied => {
            "\nPorts below 1024 are for privileged processes; choose another with --listen."
        }
        ErrorKind::AddrNotAvailable => {
            "\nThis machine has no such address; choose another with --listen."
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::without_passwords;

    #[test]
    fn passwords_in_urls_are_not_quoted() {
        for (line, shown) in [
            (
                "backplane = \"redis://me:p@ss/word@host/1",
                "backplane = \"redis://…@host/1",
            ),
            (
                "a\nurl = \"nats://token@a,nats://token@b\"\nb",
                "a\nurl = \"nats://…@b\"\nb",
            ),
            (
                "b = \"redis+sentinel://me:x@a,b/p?sentinel_password=y@z\"",
                "b = \"redis+sentinel://…@z\"",
            ),
            (
                "b = \"redis+sentinel://a/p?sentinel_password=y\"",
                "b = \"redis+sentinel://a/p?sentinel_password=…",
            ),
            (
                "origins = [\"https://a.example\"]",
                "origins = [\"https://a.example\"]",
            ),
            ("mail = \"me@a.example\"", "mail = \"me@a.example\""),
        ] {
            assert_eq!(without_passwords(line), shown);
        }
    }
}
