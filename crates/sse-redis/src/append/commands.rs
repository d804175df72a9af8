//! Commands, encoded as they are sent.

use redis::Cmd;

/// Commands that are sent together.
#[derive(Debug)]
pub(crate) struct Commands {
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: usize,
}

/// A command without its last argument.
#[derive(Debug)]
pub(crate) struct Template(Vec<u8>);

/// The encoding of an empty argument.
const EMPTY: &[u8] = b"$0\r\n\r\n";

impl Commands {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            count: 0,
        }
    }

    pub(crate) fn add(&mut self, command: &Cmd) {
        command.write_packed_command(&mut self.bytes);
        self.count += 1;
    }

    pub(crate) fn add_from(&mut self, template: &Template, argument: &[u8]) {
        self.bytes.extend_from_slice(&template.0);
        self.bytes.push(b'$');
        self.bytes
            .extend_from_slice(itoa::Buffer::new().format(argument.len()).as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(argument);
        self.bytes.extend_from_slice(b"\r\n");
        self.count += 1;
    }
}

impl Template {
    /// Creates a template from a command that lacks one argument.
    pub(crate) fn new(mut command: Cmd) -> Self {
        let mut packed = command.arg("").get_packed_command();
        packed.truncate(packed.len() - EMPTY.len());
        Self(packed)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_matches_command_of_driver() {
        let command = || redis::cmd("XADD").arg("log").arg("*").arg("p").take();
        let template = Template::new(command());
        let mut commands = Commands::with_capacity(0);
        let mut expected = Vec::new();
        for payload in [&b""[..], b"x", &[0xff; 1234], b"\r\n"] {
            commands.add_from(&template, payload);
            expected.extend(command().arg(payload).get_packed_command());
        }
        commands.add(&command());
        expected.extend(command().get_packed_command());
        assert_eq!((commands.bytes, commands.count), (expected, 5));
    }
}
