//! A server to compare, and how to start it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};

use crate::target::Layout;

/// A named command line that starts a server and prints its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) layout: Layout,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

impl Contender {
    /// The server that the others are measured by.
    pub(crate) fn floor(load: &Path) -> Self {
        Self::own(load, "floor", "floor")
    }

    pub(crate) fn axum_native(load: &Path) -> Self {
        Self::own(load, "axum `Sse` + broadcast", "axum-native")
    }

    fn own(load: &Path, name: &str, command: &str) -> Self {
        let arguments = vec![command.to_owned()];
        Self { name: name.to_owned(), layout: Layout::Plain, program: load.to_owned(), arguments }
    }

    /// The hub in demo mode, with room for `streams` and a few more.
    pub(crate) fn hub(program: &Path, streams: usize, more: &[String]) -> Self {
        let room = (streams + 100).to_string();
        let arguments = ["--listen", "127.0.0.1:0", "--max-connections", &room].map(str::to_owned);
        let arguments = arguments.into_iter().chain(more.iter().cloned()).collect();
        Self { name: "sse-hub".to_owned(), layout: Layout::Hub, program: program.to_owned(), arguments }
    }
}

/// `NAME=LAYOUT:PROGRAM ARGUMENT…`, split at spaces.
impl FromStr for Contender {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = "written as NAME=hub:PROGRAM ARGUMENT… or NAME=plain:PROGRAM ARGUMENT…";
        let (name, rest) = text.split_once('=').context(usage)?;
        let (layout, command) = rest.split_once(':').context(usage)?;
        let layout = match layout {
            "hub" => Layout::Hub,
            "plain" => Layout::Plain,
            _ => bail!(usage),
        };
        let mut words = command.split_whitespace().map(str::to_owned);
        let program = words.next().context(usage)?.into();
        Ok(Self { name: name.to_owned(), layout, program, arguments: words.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_command_line() {
        let contender: Contender = "mine=hub:./server --listen 127.0.0.1:0 a=b".parse().unwrap();
        assert_eq!((contender.name.as_str(), contender.layout), ("mine", Layout::Hub));
        assert_eq!(contender.program, Path::new("./server"));
        assert_eq!(contender.arguments, ["--listen", "127.0.0.1:0", "a=b"]);
        for bad in ["", "x", "x=hub", "x=other:y", "x=hub:"] {
            assert!(bad.parse::<Contender>().is_err(), "{bad}");
        }
    }
}
