//! A server to compare, and its command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};

use crate::driver::target::Layout;
use crate::servers::stack::Stack;

/// A named command line that starts a server and prints its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) layout: Layout,
    /// The native server of the framework, with which the server is compared.
    pub(crate) native: Option<Stack>,
    pub(crate) program: PathBuf,
    /// Arguments, in which `FOLDER` stands for the folder of the configuration.
    pub(crate) arguments: Vec<String>,
    /// Text of a file that configures the server's `ADDRESS`, if the server does not print one, and
    /// a `FOLDER` to write to.
    pub(crate) configuration: Option<&'static str>,
}

impl Contender {
    /// Returns a server of this program, whose executable is `load`.
    pub(crate) fn own(load: &Path, stack: Stack) -> Self {
        let (name, arguments) = (stack.title().to_owned(), stack.arguments());
        Self::plain(name, load.to_owned(), arguments, stack.native())
    }

    /// Returns a server with the same routes as those of this program, which prints its address.
    pub(crate) fn plain(
        name: String,
        program: PathBuf,
        arguments: Vec<String>,
        native: Option<Stack>,
    ) -> Self {
        Self {
            name,
            layout: Layout::Plain,
            native,
            program,
            arguments,
            configuration: None,
        }
    }

    /// Returns the hub in demo mode, with room for `streams` and a few more: with default settings,
    /// and with all streams as bodies.
    pub(crate) fn hubs(program: &Path, streams: usize, more: &[String]) -> [Self; 2] {
        let hub = Self::hub(program, streams, more);
        let mut bodies = Self {
            name: "sse-hub, bodies".to_owned(),
            ..hub.clone()
        };
        bodies.arguments.push("--reactor=no".to_owned());
        [hub, bodies]
    }

    fn hub(program: &Path, streams: usize, more: &[String]) -> Self {
        let room = (streams + 100).to_string();
        let arguments = ["--listen", "127.0.0.1:0", "--max-connections", &room].map(str::to_owned);
        let arguments = arguments.into_iter().chain(more.iter().cloned()).collect();
        let (name, native) = ("sse-hub".to_owned(), Some(Stack::AxumNative));
        Self {
            layout: Layout::Hub,
            ..Self::plain(name, program.to_owned(), arguments, native)
        }
    }
}

/// Parses `NAME=LAYOUT:PROGRAM ARGUMENT…`. The command line is split at spaces.
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
        Ok(Self {
            layout,
            ..Self::plain(name.to_owned(), program, words.collect(), None)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_command_line() {
        let contender: Contender = "mine=hub:./server --listen 127.0.0.1:0 a=b"
            .parse()
            .unwrap();
        assert_eq!(
            (contender.name.as_str(), contender.layout),
            ("mine", Layout::Hub)
        );
        assert_eq!(contender.program, Path::new("./server"));
        assert_eq!(contender.arguments, ["--listen", "127.0.0.1:0", "a=b"]);
        for bad in ["", "x", "x=hub", "x=other:y", "x=hub:"] {
            assert!(bad.parse::<Contender>().is_err(), "{bad}");
        }
    }
}
